// Starting a program and waiting for it, see posix_spawn(3) and waitpid(2).

import Glibc

/// A child process. Signals that are blocked or ignored here are not for it.
package struct Child: Sendable {
    package let process: Int32
    private let leadsSession: Bool

    /// - Parameters:
    ///   - arguments: the program first, found along PATH unless it has a slash.
    ///   - descriptors: numbers in the child, and which of ours they are; all others are closed unless they are
    ///     inherited on purpose.
    ///   - withoutInput: it finds its standard input empty, and does not share ours.
    ///   - ownSession: so that signals of our terminal don't reach it.
    package init(
        _ arguments: [String], descriptors: [(theirs: Int32, ours: Int32)] = [], withoutInput: Bool = false,
        ownSession: Bool = false
    ) throws(SystemError) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if withoutInput { unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) }
        for pair in descriptors { unsafe posix_spawn_file_actions_adddup2(&actions, pair.ours, pair.theirs) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var handled = sigset_t()
        unsafe sigemptyset(&handled)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { unsafe sigaddset(&handled, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &handled)
        var flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
        // POSIX_SPAWN_SETSID, glibc's own.
        if ownSession { flags |= 0x80 }
        unsafe posix_spawnattr_setflags(&attributes, flags)
        var words: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let code = unsafe posix_spawnp(&process, arguments[0], &actions, &attributes, &words, environ)
        guard code == 0 else { throw SystemError(call: "posix_spawnp", errno: code) }
        self.process = process
        leadsSession = ownSession
    }

    /// Waits for its end.
    /// - Returns: its exit status, or 128 plus the signal that ended it, as shells have it.
    package func wait() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { return 127 }
        }
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// Sends it a signal; and what it has started as well, where it has a session of its own.
    package func signal(_ number: Int32) { _ = kill(leadsSession ? -process : process, number) }
}
