// Trace files from strangers: opened, put on one clock, followed and reported, as `analyze` does.

import ClockSync
import Export
import Findings
import Glibc
import GuestClocks
import LinuxSystem
import PacketPath
import Report
import Sessions
import TestSupport
import TraceData

/// The first byte says whether the rest is a host's file as it is, or chooses what files there are.
func readTrace(_ bytes: [UInt8]) {
    guard let form = bytes.first else { return }
    var choices = Choices(Array(bytes.dropFirst()))
    let paths = ["host.dat", "guest-g1.dat", Manifest.fileName].map(Scratch.path)
    for path in paths { unsafe unlink(path) }
    guard form & 1 == 0 else {
        Array(bytes.dropFirst()).write(to: paths[0])
        return analyze(selection: .automatic)
    }
    let selection = clockSelection(&choices)
    let hasGuest = form & 4 == 0
    let manifest = form & 2 == 0 ? nil : stagedManifest(hasGuest: hasGuest, &choices)
    // One machine's events must not eat the other's choices.
    let guestBytes = hasGuest ? choices.bytes(most: bytes.count / 2) : []
    StagedTrace(role: .host, id: 1, peer: 2, followsHost: !hasGuest).bytes(&choices).write(to: paths[0])
    if hasGuest {
        var choices = Choices(guestBytes)
        StagedTrace(role: .guest, id: 2, peer: 1, followsHost: false).bytes(&choices).write(to: paths[1])
    }
    if let manifest { manifest.encoded().write(to: paths[2]) }
    analyze(selection: selection)
}

private func clockSelection(_ choices: inout Choices) -> ClockSelection {
    switch choices.number(below: 10) {
    case 0, 1, 2: .automatic
    case 3: .file
    case 4: .ptp
    case 5: .method(.exchanges)
    case 6: .method(.containment)
    case 7: .method(.kvmTSCOffset)
    case 8: .none
    default: .offset(choices.signed())
    }
}

/// Of Scratch's folder. Refused by an error, or accounted for to the last packet; its rows are written to nowhere.
private func analyze(selection: ClockSelection) {
    do {
        let pass = SessionPass(try Session([Scratch.folder]), clock: selection)
        report(try SessionFindings(pass, beside: [JourneyFile("/dev/null", CSVExport())]))
    } catch {
        // Refused: everything has a typed error, and no other way out.
        _ = "\(error)"
    }
}

private func report(_ findings: SessionFindings) {
    for flow in findings.flows {
        let counted = Outcome.allCases.reduce(0) { $0 + flow.count($1) }
        precondition(flow.seen == counted, "\(flow.seen) packets were seen and \(counted) are accounted for")
    }
    // None of them may show what a terminal obeys.
    let text = TextReport.text(findings, colour: false) + CSVReport.text(findings)
    precondition(!text.utf8.contains { $0 < 0x20 && $0 != UInt8(ascii: "\n") || $0 == 0x7f }, "a control byte is shown")
    precondition(!JSONReport.bytes(findings).isEmpty)
}

// MARK: Manifests with evidence about clocks

private func stagedManifest(hasGuest: Bool, _ choices: inout Choices) -> Manifest {
    func machine(_ name: String, _ role: RecordedMachine.Role, _ file: String, _ id: UInt64) -> RecordedMachine {
        RecordedMachine(
            name: name, role: role, file: file, release: "6.1.0", cpus: 2, traceID: id, events: [], absentEvents: [],
            bufferKiB: 1024,
            lostEvents: 0)
    }
    var manifest = Manifest(
        recorder: "virtlat", started: "2026-01-01T00:00:00Z", outcome: choices.flag() ? .complete : .cutOff,
        traceClock: choices.flag() ? "x86-tsc" : "mono", transfer: .after,
        machines: [machine("l1", .host, "host.dat", 1)] + (hasGuest ? [machine("g1", .guest, "guest-g1.dat", 2)] : []),
        topology: Topology(
            host: HostSystem(name: "l1", release: "6.1.0", cpus: 2, haltPoll: nil, postedInterrupts: nil, nics: []),
            vms: []))
    if choices.flag() {
        manifest.measured = .init(begin: choices.signed(), end: choices.flag() ? choices.signed() : nil)
    }
    if choices.flag() {
        manifest.cycleRate = .init(
            multiplier: UInt32(truncatingIfNeeded: choices.value()), shift: UInt32(truncatingIfNeeded: choices.value()))
    }
    guard hasGuest else { return manifest }
    var clock = RecordedClock(machine: "g1")
    clock.kvm = (0..<choices.number(below: 4)).map { index in
        KVMReading(
            moment: index < 2 ? .begin : .end, vcpu: index & 1, thread: 100 + Int32(index & 1),
            offset: choices.signed(),
            ratio: choices.flag() ? choices.value() : nil,
            fractionBits: choices.flag() ? UInt32(truncatingIfNeeded: choices.value()) : nil)
    }
    clock.crossTimestamps = (0..<choices.number(below: 4)).map { _ in
        CrossTimestamp(
            host: choices.signed(), realtime: choices.signed(), monotonicRaw: choices.signed(),
            monotonic: choices.signed(),
            before: choices.value(), after: choices.value())
    }
    clock.hostReadings = (0..<choices.number(below: 4)).map { _ in
        ClockReading(
            realtime: choices.signed(), monotonicRaw: choices.signed(), monotonic: choices.signed(),
            before: choices.value(),
            after: choices.value())
    }
    clock.take(
        (0..<choices.number(below: 6)).map { _ in
            Exchange(
                hostSent: choices.value(), guestReceived: choices.value(), guestSent: choices.value(),
                hostReceived: choices.value(),
                roundTrip: choices.signed(), offset: choices.signed())
        })
    manifest.clocks = [clock]
    return manifest
}
