// A machine's one session: whichever agents run on it, one of them at a time has a recorder.

internal import CLinux
import Glibc
import LinuxSystem

/// Held while a recorder is answered; free again when nobody refers to it, or the process ends in whatever way.
///
/// It is a lock, flock(2), on tracefs' README: a file that every kernel has once, whatever is mounted where and however
/// little can be written, and that nobody else locks. For whom it is held stands in a memory file of the process that
/// holds it, so nothing of that outlives it either.
final class SessionSlot: Sendable {
    /// The open file the lock belongs to.
    private let lock: Int32
    private let note: Int32

    /// Whose session it is.
    struct Holder: Error, Equatable {
        /// For people.
        var peer: String
        var seconds: Int64
    }

    enum Fault: Error {
        case held(Holder)
        case unusable(SystemError)
    }

    /// Takes it, if it is free.
    convenience init(for peer: String) throws {
        try self.init(for: peer, lockedBy: TraceFS.folder() + "/README")
    }

    init(for peer: String, lockedBy path: String) throws(Fault) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unusable(SystemError(call: path)) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let error = SystemError(call: "flock")
            let holder = Self.holder(of: descriptor)
            close(descriptor)
            throw error.errno == EWOULDBLOCK ? .held(holder) : .unusable(error)
        }
        lock = descriptor
        note = unsafe clinux_memory_file(Self.noteName)
        var stream = OutputStream(descriptor: note)
        // Without it the next one is told less, and that is all.
        try? stream.write("\(monotonicNanoseconds())\n\(peer)\n")
        try? stream.flush()
    }

    deinit {
        if note >= 0 { close(note) }
        // A child that is just being started has it open too until it is another program.
        flock(lock, LOCK_UN)
        close(lock)
    }

    // MARK: Who has it

    private static let noteName = "virtlat-session"

    /// Asked anew for a little while: who has just taken it has yet to say for whom.
    private static func holder(of descriptor: Int32) -> Holder {
        for _ in 0..<10 {
            if let holder = noted(descriptor) { return holder }
            usleep(10_000)
        }
        return Holder(peer: "somebody", seconds: 0)
    }

    /// The kernel tells which process has a lock, /proc/locks of proc(5): "1: FLOCK ADVISORY WRITE 812 00:0d:83 0 EOF".
    private static func noted(_ descriptor: Int32) -> Holder? {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, let locks = TextFile.optional("/proc/locks") else { return nil }
        for line in locks.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK", words[5].hasSuffix(":\(status.st_ino)"),
                let process = Int32(words[4])
            else {
                continue
            }
            if let holder = holder(process) { return holder }
        }
        return nil
    }

    private static func holder(_ process: Int32) -> Holder? {
        let folder = "/proc/\(process)/fd"
        for number: Int32 in Folder.numbers(in: folder)
        where Link.target(of: "\(folder)/\(number)") == "/memfd:\(noteName) (deleted)" {
            let lines = TextFile.optional("\(folder)/\(number)")?.split(separator: "\n") ?? []
            guard lines.count == 2, let since = Int64(lines[0]) else { return nil }
            let through = process == processID() ? "" : ", through the agent that is process \(process)"
            return Holder(peer: lines[1] + through, seconds: max(0, monotonicNanoseconds() - since) / 1_000_000_000)
        }
        return nil
    }
}
