// The corpus, replayed: inputs that a fuzzer found, and those that once went wrong.

import FuzzTargets
import LinuxSystem
import TestSupport
import Testing

@Suite(.serialized) struct ReplayTests {
    @Test(arguments: FuzzTarget.allCases) func `each input of the corpus is refused or read to its end`(
        target: FuzzTarget
    ) throws {
        let folder = "\(Checkout.root)/Tests/Fuzz/corpus/\(target.rawValue)"
        let names = try Folder.names(in: folder)
        #expect(names.count >= 20)
        defer { Watchdog.stop() }
        for name in names {
            // A busy machine and a debug build are slower than the fuzzer's.
            Watchdog.feed()
            target.run(try TextFile.bytes(of: "\(folder)/\(name)"))
        }
    }
}
