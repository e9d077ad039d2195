// Every system call of what binds threads may fail: the threads are where they were afterwards, or the account of them
// is kept.

import Foundation
import TestSupport
import Testing

extension BoundRecordingTests {
    @Suite(.enabled(if: FaultPlan.isPossible, FaultPlan.reason)) struct BindingFaultTests {
        /// `tries CALL ERROR NUMBER WORDS...`: the words, with that call failing; `status` and the file `out` are what
        /// came of it.
        private static let tries = #"""
            tries() {
                injected="$1 $3 fails with $2"
                strace -D -f -qq -o log -e trace=$1 -e inject=$1:error=$2:when=$3 "${@:4}" > out 2>&1; status=$?
                [ $status -le 1 ] || [[ " $mayTrap " = *" $1 "* ]] || echo "$injected: status $status: $(cat out)"
                [ $status = 0 ] || [ -s out ] || [ $status -gt 1 ] || echo "$injected: it says nothing"
            }

            """#

        private static let mayTrap = "mayTrap='\(Injection.ofEventLoops.sorted().joined(separator: " "))'\n"

        private static func baseline(_ words: String) -> String {
            "strace -D -f -qq -o log -e trace='\(SystemCalls.list(SystemCalls.errors.keys))' \(words) > out 2>&1 || { cat out >&2; exit 97; }\nsleep 0.5\ncat log\n"
        }

        @Test func `a system call of bind fails`() async throws {
            let words = #""$VIRTLAT" bind --vm $name --policy cpus=0 --vcpus 1,0 --sched fifo:3"#
            let base = try await FakeHost.run(Self.baseline(words))
            let calls = SystemCalls(log: base.output)
            #expect(calls.all.count > 50)
            for some in calls.some(FaultPlan.runs, seed: FaultPlan.seed + 2).chunked(20) {
                let script = some.map { injection in
                    """
                    tries \(injection.call) \(injection.error) \(injection.number) \(words)
                    "$VIRTLAT" bind --restore > out 2>&1 || echo "$injected: not restored: $(cat out)"
                    [ "$before" = "$(threads)" ] || echo "$injected: $(threads)"
                    """
                }
                let run = try await FakeHost.run(
                    Self.mayTrap + Self.tries + "before=$(threads)\n" + script.joined(separator: "\n") + "\n:")
                #expect(run.output.isEmpty, "\(run.output)")
            }
        }

        @Test func `a system call of an experiment fails`() async throws {
            let words =
                #""$VIRTLAT" experiment $guest --arm cpus=0 --arm unbound --rounds 1 --duration 100ms --settle 0s -o"#
            let base = try await FakeHost.run(BoundRecordingTests.agent + Self.baseline(words + " x"))
            let calls = SystemCalls(log: base.output)
            #expect(calls.all.count > 100)
            for injection in calls.some(max(2, FaultPlan.runs / 4), seed: FaultPlan.seed + 3) {
                let run = try await FakeHost.run(
                    Self.mayTrap + BoundRecordingTests.agent + Self.tries + """
                        tries \(injection.call) \(injection.error) \(injection.number) \(words) x
                        # It may have been ended within a recording, which its guard tidies up.
                        restored
                        # It goes on where it was, and ends well.
                        for try in 1 2 3 4 5; do \(words) x > again 2>&1; status=$?; [ $status != 0 ] || break; sleep 1; done
                        [ $status = 0 ] || echo "$injected: does not go on: $(cat again)"
                        restored
                        """, patience: .seconds(300))
                #expect(run.output == "restored\nrestored\n", "\(injection): \(run.output)")
            }
        }
    }
}

extension [Injection] {
    fileprivate func chunked(_ count: Int) -> [[Injection]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
