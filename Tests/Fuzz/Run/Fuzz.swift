// The fuzzer: libFuzzer's driver around the target it is called by. `make fuzz` builds and runs it.
//
//     fuzz-reader [libFuzzer's options and corpora]
//
// Some of those options (-merge, -jobs, -fork) make it start itself again, by its name and with those words only.

import CFuzzer
import FuzzTargets
import Glibc

@main struct Fuzz {
    /// Set once, before the driver runs.
    nonisolated(unsafe) static var target = FuzzTarget.reader

    static func main() {
        let name = CommandLine.arguments[0].split(separator: "-").last.map { String($0) } ?? ""
        guard let target = FuzzTarget(rawValue: name) else {
            print(
                "call it by a link of the name \(FuzzTarget.allCases.map { "fuzz-\($0.rawValue)" }.joined(separator: ", "))"
            )
            exit(64)
        }
        unsafe Self.target = target
        var arguments = CommandLine.arguments.map { unsafe strdup($0) } + [nil]
        var count = Int32(arguments.count - 1)
        let status = unsafe arguments.withUnsafeMutableBufferPointer { buffer in
            var pointer = unsafe buffer.baseAddress
            return unsafe LLVMFuzzerRunDriver(&count, &pointer) { bytes, size in
                unsafe Fuzz.target.run(Array(UnsafeBufferPointer(start: bytes, count: size)))
                return 0
            }
        }
        exit(status)
    }
}
