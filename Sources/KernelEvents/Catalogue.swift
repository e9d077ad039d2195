// All events that virtlat reads or records, in the order in which a recorder asks for them.

extension KernelEvent {
    package static let all: [KernelEvent] =
        onCPUs + ofKVM + ofXDP + [netifReceiveSKBExit] + ofOVS + ofNetwork + ofInjection + ofApplications
}
