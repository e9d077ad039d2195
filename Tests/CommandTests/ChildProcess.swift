// One child process, its streams connected to files; see posix_spawn(3) and waitpid(2).

import Foundation

/// A spawned process that has to be asked for its state until it has ended.
struct ChildProcess {
    enum State {
        case running
        case exited(Int32)
        case signalled(Int32)
    }

    let id: pid_t

    /// - Parameter environment: set beside what the tests' own environment holds.
    init(_ words: [String], _ environment: [String: String], output: String, errors: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        // A path that exists already (a terminal's, say) is written to as it is.
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)

        // Whoever runs the tests may ignore SIGPIPE; people's shells do not.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        // And a pool's threads block all signals, which children would inherit.
        var unblocked = sigset_t()
        sigemptyset(&unblocked)
        posix_spawnattr_setsigmask(&attributes, &unblocked)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var variables = ProcessInfo.processInfo.environment
        // A crash is seen by its signal; writing a backtrace takes many seconds.
        variables["SWIFT_BACKTRACE"] = "enable=no"
        variables["NO_COLOR"] = nil
        variables.merge(environment) { $1 }
        var arguments = words.map { strdup($0) } + [nil]
        var settings = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { (arguments + settings).forEach { free($0) } }
        var id: pid_t = 0
        let fault = posix_spawn(&id, words[0], &actions, &attributes, &arguments, &settings)
        guard fault == 0 else { throw SpawnError(program: words[0], text: String(cString: strerror(fault))) }
        self.id = id
    }

    struct SpawnError: Error {
        var program: String
        var text: String
    }

    var state: State {
        var status: Int32 = 0
        guard waitpid(id, &status, WNOHANG) == id else { return .running }
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
    }

    func kill() { send(SIGKILL) }

    func send(_ signal: Int32) { _ = Foundation.kill(id, signal) }
}
