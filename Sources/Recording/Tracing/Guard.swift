// A second process that cleans up when the first one is killed.

import Glibc
package import LinuxSystem
import Synchronization

/// Watches over an instance from a process of its own, which is this program again (`virtlat guard`).
///
/// It waits for the end of a pipe whose writing end only the watched process has. When that process ends without a word, even by SIGKILL, the guard
/// switches tracing off, finishes the recording as far as it got, and removes the instance. If the guard is killed as well, the kernel switches tracing off
/// (see `TraceInstance`), and the next recording removes what is left.
package final class Guard: Sendable {
    private let child: Child
    private let pipe: Mutex<Pipe?>

    /// - Parameter folder: a session folder to finish; nil for none.
    package init(_ instance: TraceInstance, folder: String?) throws(SystemError) {
        let pipe = try Pipe()
        var descriptors: [(theirs: Int32, ours: Int32)] = [(0, pipe.readEnd)]
        // While it holds this, the buffers keep what is in them.
        if let lifeline = instance.lifeline { descriptors.append((Self.lifelineDescriptor, lifeline)) }
        child = try Child(
            [Self.program, "guard", instance.name] + (folder.map { [$0] } ?? []), descriptors: descriptors, ownSession: true)
        self.pipe = Mutex(consume pipe)
    }

    /// This program under its own name, which is what its threads are called then; or whatever runs, where that name is gone.
    private static var program: String {
        let own = "/proc/self/exe"
        guard let path = Link.target(of: own), Folder.hasFile(path) else { return own }
        return path
    }

    private static let lifelineDescriptor: Int32 = 3

    package var process: Int32 { child.process }

    /// The recording has ended as it should: there is nothing left to do.
    package func dismiss() {
        let wasOnWatch = pipe.withLock { pipe in
            guard pipe != nil else { return false }
            pipe?.writeByte()
            pipe = nil
            return true
        }
        if wasOnWatch { _ = child.wait() }
    }

    deinit { dismiss() }

    /// The guard's own life, in its own process.
    /// - Parameters:
    ///   - restore: brings back what the watched process, whose id it is given, has changed of the system; tracing is off by then.
    ///   - finish: puts the session folder in order; the buffers are still there.
    package static func stand(over instance: String, restore: (Int32) -> Void, finish: () -> Void) {
        for number in [SIGINT, SIGTERM, SIGHUP] { _ = signal(number, SIG_IGN) }
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count > 0 { return }
            if count == 0 || errno != EINTR { break }
        }
        guard let name = InstanceName(instance) else { return }
        let folder = try? TraceFS.folder() + "/instances/" + instance
        if let folder { try? TextFile.write("0", to: folder + "/tracing_on") }
        restore(name.process)
        guard let folder, Folder.exists(folder) else { return }
        finish()
        close(lifelineDescriptor)
        // The kernel closes the files of the one that was killed in its own time.
        for _ in 0..<100 where Folder.exists(folder) {
            if Folder.remove(folder) { return }
            usleep(20_000)
        }
    }
}
