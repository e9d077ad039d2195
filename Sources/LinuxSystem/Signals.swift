// Signals that a program takes notice of instead of dying, see signal(7).

import Glibc
import Synchronization

package enum Signals {
    /// Where the handler writes; a handler may do little more than that. Never closed.
    private static let writeEnd = Atomic<Int32>(-1)

    /// From now on these signals do nothing but call `body`, on a thread of its own, each time they come.
    package static func handle(_ numbers: [Int32], _ body: @escaping @Sendable (Int32) -> Void) throws(SystemError) {
        let pipe = try Pipe()
        writeEnd.store(pipe.writeEnd, ordering: .sequentiallyConsistent)
        let handed = Mutex<Pipe?>(consume pipe)
        for number in numbers {
            // glibc's signal(2) restarts system calls.
            _ = signal(number) { number in
                let saved = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = unsafe write(Signals.writeEnd.load(ordering: .relaxed), &byte, 1)
                errno = saved
            }
        }
        let keeper = Keeper(pipe: handed.withLock { $0.take() })
        try detachThread {
            var byte: UInt8 = 0
            while unsafe read(keeper.readEnd, &byte, 1) != 0 {
                if byte != 0 { body(Int32(byte)) }
                byte = 0
            }
        }
    }

    /// "SIGTERM", of those that are handled here.
    package static func name(_ number: Int32) -> String {
        switch number {
        case SIGINT: "SIGINT"
        case SIGTERM: "SIGTERM"
        case SIGHUP: "SIGHUP"
        default: "signal \(number)"
        }
    }

    private final class Keeper: Sendable {
        private let pipe: Mutex<Pipe?>
        let readEnd: Int32

        init(pipe: consuming Pipe?) {
            readEnd = pipe?.readEnd ?? -1
            self.pipe = Mutex(pipe)
        }
    }
}
