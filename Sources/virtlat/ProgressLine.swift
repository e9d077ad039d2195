// One line on a terminal for work that takes more than a second; nothing in a pipe.

import LinuxSystem

struct ProgressLine {
    private let label: String
    private let start = monotonicNanoseconds()
    private var shownAt: Int64 = 0
    private let isWanted = Terminal.errorIsTerminal

    init(_ label: String) { self.label = label }

    /// - Parameter share: of the work done, 0 to 1.
    mutating func show(_ share: Double) {
        guard isWanted else { return }
        let now = monotonicNanoseconds()
        guard now - start > 1_000_000_000, now - shownAt > 200_000_000 else { return }
        shownAt = now
        Terminal.showStatus("\(label) \(Int(share * 100)) %")
    }

    mutating func clear() {
        if shownAt != 0 { Terminal.clearStatus() }
    }
}
