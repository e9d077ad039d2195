// /run without room for the account of what threads were before: nothing is bound then, and nothing half of an account
// stays.

import Foundation
import Testing

@Suite(.enabled(if: FakeHost.isPossible, FakeHost.reason)) struct FullRunTests {
    /// `full OPTIONS` gives /run so much room, `fill` takes what is left of it, `unchanged` says whether threads are
    /// where they were.
    private static let room = #"""
        before=$(threads)
        full() { mount -t tmpfs -o "mode=755,$1" none /run; }
        fill() { head -c 1M /dev/zero > /run/filler 2> /dev/null; }
        unchanged() { [ "$before" = "$(threads)" ] && echo unchanged; }

        """#

    @Test func `without room for a folder, or a file in it, nothing is bound`() async throws {
        let run = try await FakeHost.run(
            Self.room + #"""
                full nr_inodes=2
                "$VIRTLAT" bind --vm $name --policy cpus=0; echo $?
                unchanged
                full size=4k; fill
                "$VIRTLAT" bind --vm $name --policy cpus=0; echo $?
                unchanged
                ls -A $account
                rm /run/filler
                "$VIRTLAT" bind --restore; echo $?
                """#)
        #expect(run.output == "1\nunchanged\n1\nunchanged\nlock\nnothing is bound\n0\n", "\(run)")
        let lines = run.errors.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains("No space left on device") }, "\(lines)")
        #expect(lines.last?.contains("nothing is bound without an account of what was before") == true, "\(lines)")
    }

    /// One page is enough for the account and not for its successor, which is written when all threads are bound.
    @Test func `threads that are bound when the room ends are brought back`() async throws {
        let run = try await FakeHost.run(
            Self.room + #"""
                full size=4k
                "$VIRTLAT" bind --vm $name --policy cpus=0; echo $?
                unchanged
                ls -A $account
                """#)
        #expect(run.output == "1\nunchanged\nlock\n", "\(run)")
        #expect(run.errors.contains("-bind.json: write: No space left on device; nothing is bound"), "\(run.errors)")
    }

    @Test func `what is bound stays so, and is restored, though there is no room any more`() async throws {
        let run = try await FakeHost.run(
            Self.room + #"""
                full size=64k
                "$VIRTLAT" bind --vm $name --policy cpus=0 > /dev/null 2>&1; echo $?
                bound=$(threads)
                fill
                "$VIRTLAT" bind --vm $name --policy cpus=1; echo $?
                [ "$bound" = "$(threads)" ] && echo bound
                ls -A $account | sed "s/$web/PID/"
                "$VIRTLAT" bind --restore; echo $?
                unchanged
                ls -A $account
                """#)
        #expect(
            run.output == "0\n1\nbound\nPID-bind.json\nlock\nrestored NAME: 2 threads\n0\nunchanged\nlock\n", "\(run)")
    }

    /// The second machine's account takes the room that the first one's successor needs.
    @Test func `of two machines one that was bound before keeps its account`() async throws {
        let run = try await FakeHost.run(
            Self.room + #"""
                setpriv --pdeathsig KILL "$VM" -name guest=other$$ -smp 2 -workers 2 > other &
                other=$!
                until grep -q ready other; do sleep 0.01; done
                full size=8k
                "$VIRTLAT" bind --vm $name --policy cpus=0 > /dev/null 2>&1; echo $?
                bound=$(threads)
                "$VIRTLAT" bind --vm $name --vm other$$ --policy cpus=1; echo $?
                [ "$bound" = "$(threads)" ] && echo bound
                ls -A $account | sed "s/$web/PID/"
                grep -c '"owner"' $account/$web-bind.json
                "$VIRTLAT" bind --restore; echo $?
                unchanged
                """#)
        #expect(run.output == "0\n1\nbound\nPID-bind.json\nlock\n0\nrestored NAME: 2 threads\n0\nunchanged\n", "\(run)")
    }
}
