// How far a pass over a session is, on a terminal; and what a command asks of a session before it.

import Findings
import GuestClocks
import PacketPath

/// A line for each kind of work.
struct PassProgress {
    /// Of the session, where there are several.
    private let name: String?
    private var line: ProgressLine?

    init(of name: String? = nil) { self.name = name }

    /// - Parameter share: of the work done, 0 to 1; nil when it is over.
    mutating func show(_ work: SessionPass.Work, _ share: Double?) {
        guard let share else {
            line?.clear()
            line = nil
            return
        }
        var line = self.line ?? ProgressLine(label(work))
        line.show(share)
        self.line = line
    }

    private func label(_ work: SessionPass.Work) -> String {
        switch work {
        case .findingClocks: "finding the clocks" + (name.map { " of \($0)" } ?? "")
        case .following: "analyzing" + (name.map { " \($0)" } ?? "")
        }
    }
}

extension Session {
    /// A guest that a person names is there.
    /// - Parameter session: what the session is called in the complaint.
    func check(guest: String?, named session: String) throws {
        guard let guest, !machines.guests.contains(where: { $0.name == guest }) else { return }
        let names = machines.guests.isEmpty ? "none" : machines.guests.map(\.name).joined(separator: ", ")
        throw Failure("there is no guest \(guest) in \(session); it has \(names)")
    }
}
