// trace-cmd, the reference: what it prints of a file, and the files it converts to.

import Glibc
import LinuxSystem
import TestSupport

/// trace-cmd did not do what it was asked for.
struct TraceCommandFailure: Error, CustomStringConvertible {
    var description: String
}

/// One run of trace-cmd.
struct TraceCommand {
    /// Runs `trace-cmd` with `arguments`.
    /// - Returns: its standard output, in a file that is mapped and has no name any more.
    @discardableResult static func run(_ arguments: [String]) throws -> MappedFile {
        let output = temporaryPath("trace-cmd.out")
        let errors = temporaryPath("trace-cmd.err")
        defer {
            unlink(output)
            unlink(errors)
        }
        let status = try spawn(["trace-cmd"] + arguments, output: output, errors: errors)
        guard status == 0 else {
            let text = (try? MappedFile(path: errors)).map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
            throw TraceCommandFailure(
                description: "trace-cmd \(arguments.joined(separator: " ")) ended with status \(status): \(text)")
        }
        return try MappedFile(path: output)
    }

    private static func spawn(_ command: [String], output: String, errors: String) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let code = posix_spawnp(&process, command[0], &actions, nil, &arguments, environ)
        guard code == 0 else {
            let hint = code == ENOENT ? "; it is in Debian's package trace-cmd: apt-get install trace-cmd" : ""
            throw TraceCommandFailure(
                description: "\(command[0]) can't be started: \(String(cString: strerror(code)))\(hint)")
        }
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        // The low seven bits are the signal that ended it, the next eight what it returned.
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }
}
