// A session, opened: its files, its machines, and its guests on the host's clock. What every verb that reads recordings begins with.

import LinuxSystem
import PacketPath
import Report
import Sessions
import TraceData

struct SessionAnalysis {
    let files: SessionFiles
    private(set) var machines: Machines

    /// - Parameter input: a folder that holds .dat files, or the .dat files themselves.
    init(_ input: [String]) throws {
        files = try SessionFiles(input)
        machines = try Machines(
            files.recordings.map { MachineFile(name: $0.machine, file: try TraceFile(path: $0.path), recorded: $0.recorded) })
    }

    /// Chooses a clock for each guest and analyzes; a second time where the events contradict what the files say of clocks.
    /// - Parameters:
    ///   - mustBeRight: the analysis can't be done twice, so the events are asked before it.
    ///   - name: of the session, for people who wait; empty for the only one.
    ///   - analyze: analyzes with these clocks; `isFinal` when there will be no others. Returns whether that was it.
    mutating func run(
        _ selection: ClockSelection, servoLogs: [ServoEvidence] = [], mustBeRight: Bool = false, name: String = "",
        analyze: (_ session: SessionAnalysis, _ clocks: [GuestClock], _ isFinal: Bool) throws -> Bool
    ) throws {
        let resolution = ClockResolution(machines, manifest: files.manifest, servoLogs: servoLogs)
        var progress = ProgressLine("finding the clocks" + (name.isEmpty ? "" : " of \(name)"))
        let isAutomatic = selection == .automatic
        let isThorough = mustBeRight && isAutomatic && !machines.guests.isEmpty
        let clocks =
            isThorough
            ? try resolution.thorough(.automatic) { progress.show($0) } : try resolution.resolve(selection) { progress.show($0) }
        progress.clear()
        machines.use(clocks)
        if try analyze(self, clocks, isThorough || !isAutomatic) { return }
        // What the file says is wrong: the events themselves know better.
        let others = try resolution.thorough(.automatic) { progress.show($0) }
        progress.clear()
        machines.use(others)
        _ = try analyze(self, others, true)
    }
}
