// What standard output and standard error are connected to, and time for progress lines.

import Glibc

package enum Terminal {
    /// Whether a person looks at standard error.
    package static var errorIsTerminal: Bool { isatty(STDERR_FILENO) == 1 }
    /// Whether a person looks at standard output.
    package static var outputIsTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
    /// Colour only for a terminal, and never with NO_COLOR set (https://no-color.org).
    package static var outputHasColour: Bool {
        unsafe outputIsTerminal && (getenv("NO_COLOR").map { unsafe $0.pointee == 0 } ?? true)
    }
}

extension Terminal {
    /// Writes to standard error at once.
    package static func printError(_ text: String) { write(Printable.text(text, .lines)) }

    /// Shows a line on standard error in the place of the one that was shown last; nothing where that is no terminal.
    /// What moves the cursor is added here, so that no text may.
    package static func showStatus(_ text: String) {
        if errorIsTerminal { write("\r" + Printable.text(text) + "\u{1b}[K") }
    }

    /// Takes the line away.
    package static func clearStatus() {
        if errorIsTerminal { write("\r\u{1b}[K") }
    }

    /// Nothing can be done if that fails, so nothing is said.
    private static func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// What a command does about its descriptors and signals before anything else.
package enum StandardStreams {
    /// Opens /dev/null on those of descriptors 0 to 2 that were closed by the caller, so that no file gets their number
    /// and is written to by mistake; the wrong way round, so that using them is still an error. And lets writing to a
    /// closed pipe be an error instead of a signal, so that files are cleaned up.
    package static func prepare() {
        for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) < 0 {
            _ = unsafe open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY)
        }
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// Ends the process as a closed pipe usually does.
    package static func dieOfClosedPipe() {
        _ = signal(SIGPIPE, SIG_DFL)
        raise(SIGPIPE)
    }
}

/// CLOCK_MONOTONIC in nanoseconds.
package func monotonicNanoseconds() -> Int64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}
