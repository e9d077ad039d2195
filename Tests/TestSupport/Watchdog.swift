// An end for what does not come to one.

import Glibc

/// Ends the process when it is not fed for a while: a reader that does not come to an end can't be stopped from within.
package enum Watchdog {
    package static func feed(seconds: UInt32 = 60) {
        _ = signal(SIGALRM) { _ in
            let text = "virtlat: reading an input takes longer than it may\n"
            _ = unsafe text.withCString { unsafe write(2, $0, strlen($0)) }
            abort()
        }
        alarm(seconds)
    }

    package static func stop() { alarm(0) }
}
