// A session, opened: its files and its machines. What every verb that reads recordings begins with.

package import GuestClocks
import PacketPath
package import Sessions
import TraceData

package struct Session: Sendable {
    package let files: SessionFiles
    /// The host first. Its guests have no clock maps before a pass has chosen them.
    package let machines: Machines

    /// - Parameter input: a folder that holds .dat files, or the .dat files themselves.
    package init(_ input: [String]) throws {
        files = try SessionFiles(input)
        machines = try Machines(
            files.recordings.map {
                MachineFile(name: $0.machine, file: try TraceFile(path: $0.path), recorded: $0.recorded)
            })
    }
}
