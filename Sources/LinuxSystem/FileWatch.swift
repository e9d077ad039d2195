// Whether anybody has written to some files, also to those that read the same as before, see inotify(7).

import Glibc

/// Watches files. The kernel's own files are told of as well, whatever mount somebody writes to them by.
package final class FileWatch: Sendable {
    private let descriptor: Int32
    /// By the number the kernel gave the watch.
    private let names: [Int32: String]

    /// - Parameters:
    ///   - names: of files in the folder; one that is not there is not watched.
    /// - Throws: `SystemError` where the user has no further watch (`/proc/sys/fs/inotify`).
    package init(_ names: [String], in folder: String) throws(SystemError) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw SystemError(call: "inotify_init1") }
        var watched: [Int32: String] = [:]
        for name in names {
            // A file that is cut to nothing when it is opened counts as written.
            let watch = inotify_add_watch(descriptor, folder + "/" + name, UInt32(IN_MODIFY))
            if watch >= 0 { watched[watch] = name }
        }
        self.names = watched
    }

    deinit { close(descriptor) }

    /// The files that somebody has written to since the last look, by name.
    package func written() -> [String] {
        // What an event of a watched file is: it has no name.
        struct Event {
            var watch: Int32 = 0
            var mask: UInt32 = 0
            var cookie: UInt32 = 0
            var length: UInt32 = 0
        }
        var events = [Event](repeating: Event(), count: 256)
        var found: Set<String> = []
        while true {
            let bytes = unsafe events.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard bytes > 0 else { return found.sorted() }
            for event in events[..<(bytes / MemoryLayout<Event>.stride)] {
                if let name = names[event.watch] { found.insert(name) }
            }
        }
    }
}
