// Texts from strangers, each read by the one who would read it.

import Affinity
import ClockSync
import Findings
import LinuxSystem
import Sessions
import TestSupport
import TraceData

#if DEBUG || FUZZING
    @testable import Recording

    /// The first byte says who reads the rest.
    func readText(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        let text = String(decoding: rest, as: UTF8.self)
        switch first % 11 {
        case 0: readManifest(rest)
        case 1: readExperiment(rest)
        case 2:
            do throws(BudgetFault) {
                _ = try BudgetParser.budgets(in: text, source: "budgets")
            } catch {
                precondition(!"\(error)".isEmpty)
            }
        case 3: readServoLog(text)
        case 4: readFormats(text)
        case 5:
            _ = QEMUCommandLine(text.split(separator: "\0", omittingEmptySubsequences: false).map { String($0) })
        case 6: readShortTexts(text)
        case 7: readPrintable(text)
        case 8: readKey(rest)
        case 9: _ = TraceClockUnit(of: text)
        default: readNames(rest)
        }
    }

    private func readManifest(_ bytes: [UInt8]) {
        bytes.write(to: Scratch.path(Manifest.fileName))
        guard let manifest = (try? Manifest.read(folder: Scratch.folder)) ?? nil else { return }
        manifest.encoded().write(to: Scratch.path(Manifest.fileName))
        guard let again = (try? Manifest.read(folder: Scratch.folder)) ?? nil else {
            preconditionFailure("a manifest can't be read back")
        }
        precondition(again == manifest, "a manifest changes when it is read back")
    }

    private func readExperiment(_ bytes: [UInt8]) {
        bytes.write(to: Scratch.path(Experiment.fileName))
        guard let experiment = (try? Experiment.read(folder: Scratch.folder)) ?? nil else { return }
        for arm in experiment.design.arms { _ = experiment.sessions(of: arm.name) }
    }

    private func readServoLog(_ text: String) {
        let log = ServoLog(text)
        precondition(log.reports.allSatisfy { log.sources.indices.contains($0.source) })
        precondition(
            zip(log.reports, log.reports.dropFirst()).allSatisfy { $0.time <= $1.time }, "reports are out of order")
    }

    private func readFormats(_ text: String) {
        let formats = EventFormats([FormatText(system: "net", text: text)], longSize: 8)
        for format in formats.all {
            precondition((format.fields + format.commonFields).allSatisfy { $0.offset >= 0 && $0.size >= 0 })
        }
    }

    private func readShortTexts(_ text: String) {
        _ = CPUSet(text).map { $0.description }
        _ = Scheduling(text)
        _ = BindingPolicy(text)
        _ = VCPUPlacement(text)
        _ = AgentAddress(text)
        _ = EventName(text)
        _ = DeviceNumber(text)
        _ = ProcessEntry.lastCPU(stat: text)
    }

    private func readPrintable(_ text: String) {
        let shown = Printable.text(text)
        precondition(
            !shown.utf8.contains { $0 < 0x20 && $0 != 0x09 && $0 != 0x0a || $0 == 0x7f }, "a control byte is shown")
        precondition(Printable.text(shown) == shown, "what can be shown is changed")
    }

    private func readKey(_ bytes: [UInt8]) {
        bytes.write(to: Scratch.path("key"))
        _ = try? PreSharedKey(file: Scratch.path("key"))
    }

    /// Names of threads, as a file keeps them.
    private func readNames(_ bytes: [UInt8]) {
        let sections = [
            TraceSection(kind: .headerPage, bytes: bytes), TraceSection(kind: .clocks, bytes: bytes),
            TraceSection(kind: .commandLines, bytes: bytes), TraceSection(kind: .statistics, name: "0", bytes: bytes),
            TraceSection(kind: .printFormats, bytes: bytes),
        ]
        let machine = RecordedMachine(
            name: "m", role: .guest, file: nil, release: "", cpus: 1, traceID: 1, events: [], absentEvents: [],
            bufferKiB: 0)
        _ = TraceDescription(sections, machine: machine, uname: "", traceClock: "mono", conversion: nil)
    }
#else
    func readText(_ bytes: [UInt8]) { preconditionFailure("built without -enable-testing") }
#endif
