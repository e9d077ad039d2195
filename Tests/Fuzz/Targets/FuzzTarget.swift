// What is fuzzed: three ways in for what strangers make. Each takes any bytes, and ends the process where a promise is
// broken.

import Glibc
import LinuxSystem

/// One way in. What it does not survive, it reports by a trap, a hang or too much memory, which the fuzzer sees.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// Trace files: taken as they are, or built by choices and damaged; with clocks, journeys and reports.
    case reader
    /// What a peer sends: frames and messages, and a guest's trace as the recorder takes it.
    case `protocol`
    /// Texts: manifests, experiments, budgets, logs of servos, command lines, formats, and what /proc and people say.
    case text

    package func run(_ bytes: [UInt8]) {
        switch self {
        case .reader: readTrace(bytes)
        case .protocol: listen(bytes)
        case .text: readText(bytes)
        }
    }
}

/// A folder of this process alone, in memory where there is such a place; emptied by whoever uses it.
enum Scratch {
    static let folder: String = {
        let place = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        let path = place + "/virtlat-fuzz-\(getpid())"
        unsafe mkdir(path, 0o700)
        atexit { Scratch.remove() }
        return path
    }()

    static func path(_ name: String) -> String { folder + "/" + name }

    /// Everything in it, and the folder.
    private static func remove() {
        for name in (try? Folder.names(in: folder)) ?? [] { TextFile.remove(path(name)) }
        _ = Folder.remove(folder)
    }
}
