// What record says while it records: a status line on a terminal, and sentences that matter anywhere.

import LinuxSystem
import Recording
import Sessions
import Synchronization

final class RecordingLine: Sendable {
    private let folder: String
    private let isOpenEnded: Bool
    private let shownAt = Mutex<Int64>(0)

    init(folder: String, isOpenEnded: Bool) {
        self.folder = folder
        self.isOpenEnded = isOpenEnded
    }

    private static let isTerminal = Terminal.errorIsTerminal

    func show(_ news: RecordingNews) {
        switch news {
        case .recording:
            // Whoever starts traffic by hand, or by script, has to know.
            tell("recording\(isOpenEnded ? "; Ctrl-C ends it" : "")")
        case .status(let elapsed, let rate, let fill, let lost):
            let seconds = elapsed / 1_000_000_000
            Terminal.showStatus(
                "\(seconds / 60):\(seconds % 60 < 10 ? "0" : "")\(seconds % 60)   \(rate) events/s on the host   buffers \(Int(fill * 100)) % full   "
                    + (lost == 0 ? "none lost" : "\(lost) lost"))
        case .transferring(let guest, let bytes):
            guard Self.isTerminal, isTimeToShow() else { return }
            Terminal.showStatus("fetching the trace of \(guest): \(bytes >> 10) KiB")
        case .warning(let text): tell(text)
        }
    }

    /// In the status line's place; the next one comes below.
    private func tell(_ text: String) {
        Terminal.clearStatus()
        Terminal.printError("virtlat: \(text)\n")
    }

    /// Five times a second at the most.
    private func isTimeToShow() -> Bool {
        shownAt.withLock { shownAt in
            let now = monotonicNanoseconds()
            guard now - shownAt > 200_000_000 else { return false }
            shownAt = now
            return true
        }
    }

    func end(_ manifest: Manifest) {
        let kept = manifest.machines.filter { $0.file != nil }
        let events = kept.reduce(0) { $0 + ($1.disturbance.allEvents ?? 0) }
        let lost = kept.reduce(0) { $0 + $1.lostEvents }
        tell(
            "\(events) events of \(kept.map(\.name).joined(separator: ", ")) are in \(folder)\(lost > 0 ? ", \(lost) were lost (--buffer-size)" : "")"
                + "; see them with: virtlat analyze \(folder)")
    }
}
