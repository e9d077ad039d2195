// Which file is the host's, which are its guests', and how each one's clock leads to the host's.

package import ClockSync
internal import LinuxSystem
package import Sessions
package import TraceData

package enum MachineRole: String, Sendable { case host, guest }

/// An opened file, and what is known of its machine without looking into it.
package struct MachineFile: Sendable {
    package var name: String
    package var file: TraceFile
    /// What the session's manifest says; nil without one.
    package var recorded: RecordedMachine?

    package init(name: String, file: TraceFile, recorded: RecordedMachine? = nil) {
        self.name = name.printable
        self.file = file
        self.recorded = recorded
    }
}

/// One machine of a session.
package struct Machine: Sendable {
    package var name: String
    package var role: MachineRole
    package var file: TraceFile
    /// Clock map by CPU; for a guest none before its clock has been chosen, at least one then.
    package var maps: [ClockMap] = []
    /// For a guest: host thread of each vCPU, where the host's file says so.
    package var threadOfCPU: [Int: Int32]
    /// The TCP port of the guest's agent; nil when it was not reached over TCP.
    package var agentPort: UInt16?

    /// What makes its raw times ns of its own; nil where its clock counts ns, or its file does not say.
    package var ownConversion: CycleConversion? {
        role == .host ? maps.first?.segments.first?.toNanoseconds : file.cycleConversion
    }

    /// Guests ran on it, as far as its file says.
    package var hasGuests: Bool { !file.options.guests.isEmpty || !file.vhostThreads.isEmpty }

    /// CPUs that wrote events, or as many as the file counts.
    package var cpuCount: Int { file.options.cpuCount ?? file.buffers.reduce(0) { max($0, $1.cpus.count) } }
}

/// A set of files that is no session.
package enum SessionFault: Error, Sendable {
    case noFiles
    /// No file has a host's events, or none is left beside the guests.
    case noHost(files: [String])
    case severalHosts(files: [String])
    case tooManyFiles(Int)
    /// Two files have one trace id.
    case sameRecording(String, String)
    /// The file is not the one that the manifest tells of; `found` is nil when it has no trace id.
    case otherRecording(file: String, found: UInt64?, expected: UInt64)
    /// The guest was not recorded together with this host.
    case unrelated(guest: String, host: String)
    /// The file's timestamps can't be turned into ns.
    case clock(file: String, clock: String, ClockFlaw)
}

/// Why a machine's trace clock can't tell what a stage took.
package enum ClockFlaw: Sendable, Equatable {
    /// Its unit is no time, too coarse a time, or not known.
    case unit(TraceClockUnit)
    /// It counts cycles, and no file of the session says how many make a ns.
    case noRate
    /// The same, of a file that trace-cmd split has been at: its events may be in ns already.
    case noRateAfterSplit
    /// The file calls its clock something else than what its ring buffer counted by, as that says itself.
    case mistaken(buffer: String)
    /// The events of two buffers are stamped by different clocks.
    case severalClocks(first: String, second: String)
    /// A guest's clock counts cycles where the host's counts ns, or the other way round.
    case otherUnit(host: String, hostClock: String?)
}

/// The machines of a session, the host first.
package struct Machines: Sendable {
    package private(set) var all: [Machine]
    /// What makes the host's raw times ns; nil where its clock counts ns.
    package let hostClock: CycleConversion?
    /// The guest whose word on its own TSC's rate is taken for the host's TSC, by its index among the guests: right if
    /// the two run at one rate.
    package let rateGuest: Int?
    package var host: Machine { all[0] }
    package var guests: ArraySlice<Machine> { all.dropFirst() }

    /// Sorts files into host and guests.
    ///
    /// A guest's file carries TIME_SHIFT, with the trace id of the host it was recorded with; the host's carries GUEST
    /// options, or the formats of KVM's events, or is the only one. Where a manifest tells roles and names, they hold,
    /// and the trace ids show that it tells of these files.
    /// - Parameter files: all with what one manifest says of them, or all without.
    package init(_ files: [MachineFile]) throws(SessionFault) {
        guard !files.isEmpty else { throw .noFiles }
        guard files.count <= 255 else { throw .tooManyFiles(files.count) }
        for (index, entry) in files.enumerated() {
            if let recorded = entry.recorded, entry.file.options.traceID != recorded.traceID {
                throw .otherRecording(
                    file: entry.file.path, found: entry.file.options.traceID, expected: recorded.traceID)
            }
            guard let id = entry.file.options.traceID else { continue }
            if let other = files[..<index].first(where: { $0.file.options.traceID == id }) {
                throw .sameRecording(other.file.path, entry.file.path)
            }
        }
        let hostIndex = try Self.hostIndex(files)
        let host = files[hostIndex].file
        let isNamed = files[hostIndex].recorded != nil
        let guests = files.indices.filter { $0 != hostIndex }.map { files[$0].file }
        for file in [host] + guests { try Self.checkUnit(of: file) }
        (hostClock, rateGuest) = try Self.conversion(host, guests)
        for guest in guests { try Self.checkUnit(of: guest, host: host, hostClock) }
        var machines = [
            Machine(
                name: isNamed ? files[hostIndex].name : host.options.hostName ?? files[hostIndex].name, role: .host,
                file: host,
                maps: [.host(hostClock)], threadOfCPU: [:])
        ]
        var names: Set<String> = [machines[0].name]
        for (index, entry) in files.enumerated() where index != hostIndex {
            let option = host.options.guests.first { $0.traceID == entry.file.options.traceID }
            var name = entry.name
            if !isNamed, let given = option?.name, !given.isEmpty { name = given }
            // Names tell machines apart in every output.
            let base = name
            var number = 2
            while !names.insert(name).inserted {
                name = "\(base)-\(number)"
                number += 1
            }
            try Self.checkPeer(of: entry.file, host: host)
            machines.append(
                Machine(
                    name: name, role: .guest, file: entry.file, threadOfCPU: option?.threadOfCPU ?? [:],
                    agentPort: entry.recorded?.agentPort))
        }
        all = machines
    }

    private static func hostIndex(_ files: [MachineFile]) throws(SessionFault) -> Int {
        if let recorded = files.firstIndex(where: { $0.recorded?.role == .host }) { return recorded }
        let paths = files.map(\.file.path)
        // A file whose clock is shifted to a peer's is a guest.
        let candidates = files.indices.filter { files[$0].file.options.timeShifts.isEmpty }
        // A file by itself is its own machine's, whatever that runs on.
        if files.count == 1, candidates == [0] { return 0 }
        let named = candidates.filter { !files[$0].file.options.guests.isEmpty }
        if named.count == 1 { return named[0] }
        if named.count > 1 { throw .severalHosts(files: named.map { paths[$0] }) }
        let withKVM = candidates.filter { files[$0].file.formats.contains { $0.system == "kvm" } }
        if withKVM.count == 1 { return withKVM[0] }
        if withKVM.count > 1 { throw .severalHosts(files: withKVM.map { paths[$0] }) }
        throw .noHost(files: paths)
    }

    private static func checkPeer(of guest: TraceFile, host: TraceFile) throws(SessionFault) {
        if let peer = guest.options.peerTraceID, let id = host.options.traceID, peer != id {
            throw .unrelated(guest: guest.path, host: host.path)
        }
    }

    /// Puts each guest on the host's clock.
    /// - Parameter clocks: one for each guest, in order.
    package mutating func use(_ clocks: [GuestClock]) {
        for (index, clock) in clocks.enumerated() {
            all[index + 1].maps = clock.candidate.maps
            if all[index + 1].threadOfCPU.isEmpty { all[index + 1].threadOfCPU = clock.threads }
        }
    }
}

extension TraceFile {
    /// Threads that carry packets between a host device and a virtqueue: drivers/vhost/vhost.c names them "vhost-PID",
    /// kernel threads before Linux 6.4 and threads of the process itself since.
    package var vhostThreads: Set<Int32> { Set(commandLines.lazy.filter { $0.value.hasPrefix("vhost-") }.map(\.key)) }
}
