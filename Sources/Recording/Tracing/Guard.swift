// A second process that cleans up when the first one is killed.

import CLinux
import Glibc
package import LinuxSystem
import Synchronization

/// Watches over an instance from a process of its own, which is this program again (`virtlat guard`).
///
/// It waits for the end of a socket whose other end only the watched process has. When that process ends without a
/// word, even by SIGKILL, the guard switches tracing off, finishes the recording as far as it got, and removes the
/// instance. If the guard is killed as well, the kernel switches tracing off (see `TraceInstance`), and the next
/// recording removes what is left.
package final class Guard: Sendable {
    private let child: Child
    /// Our end of what leads to it; nil when it is dismissed.
    private let socket: Mutex<Int32?>

    /// Over all instances that this process is going to make, one after the other, since they have one name. So nothing
    /// of them is without a guard.
    /// - Parameters:
    ///   - folder: the session folder to finish; nil for none.
    ///   - program: a virtlat; tests are another program.
    package init(folder: String? = nil, program: String = Guard.program) throws(SystemError) {
        guard let name = InstanceName.own else { throw SystemError(call: "/proc/self/stat", errno: ENOENT) }
        var ends: [Int32] = [-1, -1]
        guard unsafe clinux_socket_pair(&ends) == 0 else { throw SystemError(call: "socketpair") }
        defer { close(ends[1]) }
        do {
            child = try Child(
                [program, "guard", name.text] + (folder.map { [$0] } ?? []), descriptors: [(STDIN_FILENO, ends[1])],
                ownSession: true)
        } catch {
            close(ends[0])
            throw error
        }
        socket = Mutex(ends[0])
    }

    /// What may be said to a guard, a byte each.
    private enum Word: UInt8 {
        case dismissed = 0
        /// There is an instance; while the guard has it open, the buffers keep what is in them.
        case hold = 1
        /// The buffers are empty, and the instance is about to be removed, which nobody may have open then.
        case release = 2
    }

    /// From now on there are buffers, and what is in them is to be finished. Returns when the guard has its copy of
    /// what keeps them.
    /// - Throws: `SystemError` where there is no guard any more.
    func hold(_ instance: TraceInstance) throws(SystemError) {
        say(.hold, with: instance.lifeline ?? -1)
        guard let descriptor = socket.withLock({ $0 }) else { return }
        var answer = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            switch unsafe poll(&answer, 1, Self.patience) {
            case 1...:
                var byte: UInt8 = 0
                guard unsafe read(descriptor, &byte, 1) == 1 else {
                    throw SystemError(call: "virtlat guard", errno: ESRCH)
                }
                return
            case 0: throw SystemError(call: "virtlat guard", errno: ETIMEDOUT)
            default: if errno != EINTR { throw SystemError(call: "poll") }
            }
        }
    }

    /// ms.
    private static let patience: Int32 = 10_000

    /// From now on there is nothing but an instance to remove.
    package func release() { say(.release) }

    private func say(_ word: Word, with descriptor: Int32 = -1) {
        socket.withLock { if let socket = $0 { _ = clinux_send_byte(socket, word.rawValue, descriptor) } }
    }

    /// This program under its own name, which is what its threads are called then; or whatever runs, where that name is
    /// gone.
    package static var program: String {
        let own = "/proc/self/exe"
        guard let path = Link.target(of: own), Folder.hasFile(path) else { return own }
        return path
    }

    package var process: Int32 { child.process }

    /// The recording has ended as it should: there is nothing left to do.
    package func dismiss() {
        let wasOnWatch = socket.withLock { socket in
            guard let open = socket else { return false }
            _ = clinux_send_byte(open, Word.dismissed.rawValue, -1)
            close(open)
            socket = nil
            return true
        }
        if wasOnWatch { _ = child.wait() }
    }

    deinit { dismiss() }

    /// The guard's own life, in its own process.
    /// - Parameters:
    ///   - restore: brings back what the watched process, whose id it is given, has changed of the system; tracing is
    ///     off by then.
    ///   - finish: puts the session folder in order; the buffers are still there.
    package static func stand(over instance: String, restore: (Int32) -> Void, finish: () -> Void) {
        for number in [SIGINT, SIGTERM, SIGHUP] { _ = signal(number, SIG_IGN) }
        guard let name = InstanceName(instance) else { return }
        let folder = try? TraceFS.folder() + "/instances/" + instance
        var lifeline: Int32 = -1
        var (byte, descriptor): (UInt8, Int32) = (0, -1)
        while true {
            let count = unsafe clinux_receive_byte(STDIN_FILENO, &byte, &descriptor)
            if count == 0 || count < 0 && errno != EINTR { break }
            guard count > 0 else { continue }
            switch Word(rawValue: byte) {
            case .hold:
                lifeline = descriptor
                _ = clinux_send_byte(STDIN_FILENO, byte, -1)
            case .release:
                close(lifeline)
                lifeline = -1
            case .dismissed, nil: return
            }
        }
        if let folder { try? TextFile.write("0", to: folder + "/tracing_on") }
        restore(name.process)
        guard let folder, Folder.exists(folder) else { return }
        finish()
        close(lifeline)
        // The kernel closes the files of the one that was killed in its own time.
        for _ in 0..<100 where Folder.exists(folder) {
            if Folder.remove(folder) { return }
            usleep(20_000)
        }
    }
}
