// What a recorder and an agent say to each other: version 1, see Documentation/protocol.md.

/// One message. The recorder asks and the agent answers each request with one message, but for `collect` (and, with
/// live transfer, `start`), which a stream of `data` follows.
enum Message: Equatable, Sendable {
    // Recorder to agent.
    case hello(Hello)
    case prepare(Preparation)
    case start
    case probe(number: UInt32)
    case stop
    case collect(Collection)
    case end

    // Agent to recorder.
    case welcome(Welcome)
    case busy(Busy)
    case prepared(Prepared)
    case started
    case probed(number: UInt32)
    case stopped(Stopped)
    case section(TraceSection)
    case data(TraceBytes)
    /// All of it has been sent; `fault` is what could not be kept, for people, and empty when all went well.
    case collected(fault: String)
    case ended
    case refused(Refusal)

    static let version: UInt16 = 1
    static let magic = "virtlat"

    struct Hello: Equatable, Sendable {
        var version = Message.version
        /// Who asks, for people: "virtlat record on l1, process 1234".
        var peer: String
    }

    /// Who the agent's machine is.
    struct Welcome: Equatable, Sendable {
        var version = Message.version
        var name: String
        var release: String
        var uname: String
        /// CPUs that the kernel traces.
        var cpus: UInt16
        var pageSize: UInt32
        var longSize: UInt8
        var availableMemoryKiB: UInt64
        var clocks: [String]
        /// Hardware addresses of its network devices, lower case.
        var networkAddresses: [String]
        /// Remarks for people: what will be blind or inexact in this guest.
        var remarks: [String]
    }

    struct Busy: Equatable, Sendable {
        var seconds: UInt32
        var peer: String
    }

    struct Preparation: Equatable, Sendable {
        var clock: String
        /// Ring buffer of each CPU; 0 for what the agent takes by itself.
        var bufferKiB: UInt32
        var isLive: Bool
        var events: [Event]
        /// Between cross-timestamps of the KVM PTP clock; 0 for only one at the start and one at the end.
        var crossTimestampMilliseconds: UInt32

        struct Event: Equatable, Sendable {
            var name: String
            /// Empty for none.
            var filter: String
        }
    }

    struct Prepared: Equatable, Sendable {
        var bufferKiB: UInt32
        var enabled: [Preparation.Event]
        var absent: [String]
        /// Of the TSC; multiplier 0 where it is not known.
        var multiplier: UInt32
        var shift: UInt32
    }

    struct Stopped: Equatable, Sendable {
        var processorTime: UInt64
        var wakeUps: UInt64
        var bytesDuring: UInt64
        var threads: [Int32]
        var crossTimestamps: [Stamp]
        /// Something the agent could not do, for people; empty when all went well.
        var fault: String

        struct Stamp: Equatable, Sendable {
            var host: Int64
            var realtime: Int64
            var monotonicRaw: Int64
            var monotonic: Int64
            var before: UInt64
            var after: UInt64
        }
    }

    struct Collection: Equatable, Sendable {
        var wantsKernelSymbols: Bool
    }

    struct TraceBytes: Equatable, Sendable {
        var cpu: UInt16
        /// Whole sub-buffers.
        var bytes: [UInt8]
    }

    /// How much of a trace it brings.
    var traceBytes: Int {
        switch self {
        case .data(let data): data.bytes.count
        case .section(let section): section.bytes.count
        default: 0
        }
    }

    struct Refusal: Equatable, Sendable {
        var reason: String
    }
}

/// A part of what a trace.dat file says besides its events, as tracefs has it.
struct TraceSection: Equatable, Sendable {
    enum Kind: UInt8, Sendable, CaseIterable {
        case headerPage = 1
        case headerEvent
        /// One event's format; `name` is its system.
        case format
        /// Lines "PID NAME".
        case commandLines
        case printFormats
        case kernelSymbols
        /// The file trace_clock.
        case clocks
        /// per_cpu/cpuN/stats; `name` is N.
        case statistics
    }

    var kind: Kind
    var name = ""
    var bytes: [UInt8]

    /// Larger sections are cut into several, which the receiver joins: same kind and name, one after the other.
    static let mostBytes = 512 << 10
}
