// What is given up is gone, for the thread that does it and those that it starts, and for no other.

import Glibc
import LinuxSystem
import Synchronization
import Testing

@Suite(.enabled(if: geteuid() == 0, "NOT TESTED: rights are given up by root")) struct RightsTests {
    /// What was refused to a thread: the call and its error.
    private final class Refusals: Sendable {
        let found = Mutex<[String: Int32]>([:])

        func note(_ call: String, _ result: Int32) {
            let error = result == 0 ? 0 : lastError
            found.withLock { $0[call] = error }
        }
    }

    /// Runs `body` on a thread of its own, to its end.
    private func onThread(_ body: @escaping @Sendable () -> Void) throws { _ = try JoinedThread(body) }

    private static func tryAll(_ refusals: Refusals) {
        // Each would be possible for root, and changes nothing.
        refusals.note("mount", mount("/dev/null", "/dev/null", nil, UInt(MS_REMOUNT | MS_BIND), nil) == 0 ? 0 : -1)
        refusals.note("chroot", chroot("/"))
        do throws(SystemError) {
            refusals.note("execve", try Child(["/bin/true"]).wait())
        } catch { refusals.found.withLock { $0["execve"] = error.errno } }
        refusals.note("open", TextFile.optional("/proc/self/stat") == nil ? -1 : 0)
    }

    @Test func `a filter denies what is no agent's work, to this thread and those that it starts`() throws {
        let (own, child, other) = (Refusals(), Refusals(), Refusals())
        try onThread {
            do {
                try Rights.forbidNew()
                try Rights.denySystemCalls()
                Self.tryAll(own)
                _ = try JoinedThread { Self.tryAll(child) }
            } catch { Issue.record(error) }
        }
        try onThread { Self.tryAll(other) }
        for refusals in [own, child] {
            #expect(refusals.found.withLock { $0 } == ["mount": EPERM, "chroot": EPERM, "execve": EPERM, "open": 0])
        }
        #expect(other.found.withLock { $0["execve"] == 0 && $0["chroot"] == 0 })
    }

    @Test func `capabilities that are given up are gone from all sets`() throws {
        let refusals = Refusals()
        let lines = Mutex<[Substring]>([])
        try onThread {
            do {
                try Rights.keepOnly([.systemLog])
                refusals.note("chroot", chroot("/"))
                let text = try TextFile.text(of: "/proc/thread-self/status")
                lines.withLock { $0 = text.split(separator: "\n").filter { $0.hasPrefix("Cap") } }
            } catch { Issue.record(error) }
        }
        #expect(refusals.found.withLock { $0 } == ["chroot": EPERM])
        for (set, value) in [("Inh", 0), ("Amb", 0), ("Eff", 1 << 34), ("Prm", 1 << 34), ("Bnd", 1 << 34)]
            as [(String, UInt64)]
        {
            #expect(
                lines.withLock {
                    $0.contains { $0.hasPrefix("Cap\(set)") && UInt64($0.suffix(16), radix: 16) == value }
                })
        }
        #expect(try TextFile.text(of: "/proc/self/status").contains("CapEff:\t0000000400000000") == false)
    }
}
