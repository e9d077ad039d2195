// Faults in words, where they have to be said by a module: across a connection, and in a manifest.

import LinuxSystem
import NIOCore
import NIOPosix
import NIOSSL
import Sessions
import TraceData

extension TracingFault {
    package var text: String {
        switch self {
        case .noTraceFS(let error):
            "there is no tracefs, and it can't be mounted (\(error.text)): run as root, and mount -t tracefs tracefs /sys/kernel/tracing"
        case .instance(let name, let error):
            "the ftrace instance \(name) can't be made: \(error.text)\(Self.remedy(error))"
        case .busy(let folder):
            "\(folder): another virtlat has kept it locked for 5 s, which takes milliseconds when all is well: end it (lslocks names it), then try again"
        case .setting(let file, let value, let error, let reason):
            "\(file): \"\(value)\" is refused: \(error.text)\(reason.map { " (\($0))" } ?? "")\(Self.remedy(error))"
        case .unreadable(let file, let error): "\(file): \(error.call): \(error.text)\(Self.remedy(error))"
        case .absentClock(let clock, let available):
            "this kernel has no trace clock \(clock); it has \(available.joined(separator: ", "))"
        case .noEvents: "this kernel has none of the events that are to be recorded (CONFIG_EVENT_TRACING)"
        case .tooLarge(let requested, let available):
            "ring buffers of \(requested) KiB don't fit: \(available) KiB of memory are available, and a quarter of that is the most that is taken; "
                + "give a smaller --buffer-size"
        case .spool(let path, let error): "\(path): \(error.call): \(error.text)"
        }
    }

    private static func remedy(_ error: SystemError) -> String {
        switch error.errno {
        case 1, 13: "; run as root"  // EPERM, EACCES
        case 12: "; give a smaller --buffer-size"  // ENOMEM
        default: ""
        }
    }
}

extension ProtocolFault {
    package var text: String {
        switch self {
        case .unknownType(let type): "a message of unknown type \(type)"
        case .malformed(let message, let field): "\(message) is malformed: \(field)"
        case .tooLong(let length): "a message of \(length) bytes"
        case .version(let theirs):
            "the other side speaks version \(theirs) of the protocol, this one version \(Message.version): use the same virtlat on both"
        case .notVirtlat: "the other side is no virtlat"
        case .unexpected(let what): "\(what) came out of turn"
        case .silent(let time): "no answer for \(time.nanoseconds / 1_000_000_000) s"
        case .slow: "its answer comes more slowly than \(MessageChannel.leastPace >> 10) KiB/s"
        case .deaf(let time): "it has taken nothing for \(time.nanoseconds / 1_000_000_000) s"
        case .closed: "the connection is closed"
        }
    }
}

/// Anything that is thrown here, in words.
package enum FaultText {
    package static func of(_ error: any Error) -> String {
        switch error {
        case let fault as TracingFault: fault.text
        case let fault as ProtocolFault: fault.text
        case SessionSlot.Fault.unusable(let error):
            "whether somebody records already can't be told: \(error.call): \(error.text)"
        case let error as SystemError: "\(error.call): \(error.text)"
        case let error as TraceFileError: error.text
        case let fault as GuestFault: fault.text
        case ConfinedScan.Fault.file(let text): text
        case ConfinedScan.Fault.ended(let status):
            "reading it took more memory or time than it may (status \(status) of virtlat scan)"
        case Manifest.Fault.unwritable(let path, let error): "\(path): \(error.textOfOutput)"
        case NIOSSLError.uncleanShutdown, NIOSSLError.shutdownFailed, is NIOSSLCloseTimedOutError:
            // TLS has a goodbye of its own; who was killed, or cut off, does not say it.
            ProtocolFault.closed.text
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
            "the other side has no or another key (--key-file has to hold the same on both)"
        case let error as IOError: SystemError(call: "connect", errno: error.errnoCode).text
        case let error as NIOConnectionError: of(error)
        case let error as SocketAddressError.UnknownHost: "the name \(error.host) is unknown"
        case is SocketAddressError: "it is no address"
        case ChannelError.connectTimeout: "no answer within 10 s"
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof,
            ChannelError.inputClosed, ChannelError.outputClosed, is CancellationError:
            ProtocolFault.closed.text
        default: "an unforeseen fault, please report it: \(error)"
        }
    }

    /// The system's own number for it, where it has one.
    static func code(of error: any Error) -> Int32? {
        switch error {
        case let error as SystemError: error.errno
        case let error as IOError: error.errnoCode
        case let error as NIOConnectionError: error.connectionErrors.first.flatMap { code(of: $0.error) }
        default: nil
        }
    }

    private static func of(_ error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first { return of(first.error) }
        return "the name \(error.host) is unknown"
    }
}
