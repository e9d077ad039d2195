// Recordings that bind threads for as long as they last, and experiments made of them.

import Foundation
import RecordingTurns
import Sessions
import Testing

@Suite(
    .serialized, .recordsAlone, .enabled(if: FakeHost.isPossible && Tracing.isPossible, FakeHost.reason))
struct BoundRecordingTests {
    /// An agent on loopback that records this machine in the guest's place; `$guest` reaches it.
    static let agent = #"""
        port=$((20000 + $$ % 10000))
        "$VIRTLAT" agent --new-key key 2> /dev/null && touch readme
        unshare --mount setpriv --pdeathsig KILL sh -c 'mount --bind readme /sys/kernel/tracing/README && exec "$@"' sh \
            "$VIRTLAT" agent --tcp 127.0.0.1:$port --key-file key 2> agent.log &
        agent=$!
        until_says() { for ((i = 0; i < 1000; i++)); do grep -q "$1" "$2" 2> /dev/null && return; sleep 0.01; done; cat "$2"; exit 98; }
        until_says 'listening on' agent.log
        guest="--vm $name=tcp:127.0.0.1:$port --key-file key"
        before=$(threads)
        restored() { for ((i = 0; i < 500; i++)); do [ "$before" = "$(threads)" ] && { echo restored; return; }; sleep 0.01; done; threads; }

        """#

    @Test func `a recording has the threads where they were wanted, and leaves them where they were`() async throws {
        let run = try await FakeHost.run(
            Self.agent + #"""
                "$VIRTLAT" record $guest --bind same-cpu --vcpus 1,0 --sched rr:2 -o s 2> log &
                recorder=$!
                until_says 'virtlat: recording' log
                threads
                kill -INT $recorder; wait $recorder; echo $?
                restored
                cat s/session.json
                """#)
        try #require(run.output.split(separator: "\n").count > 3, "\(run)")
        let lines = run.output.split(separator: "\n", maxSplits: 3).map { String($0) }
        #expect(lines[0].hasSuffix("CPU /KVM:1:0 CPU /KVM:0:0 vhost:1:2 vhost:0:2"), "\(run)")
        #expect(lines[1] == "0" && lines[2] == "restored", "\(run)")
        let manifest = try JSONDecoder().decode(Manifest.self, from: Data(lines[3].utf8))
        #expect(manifest.binding == Manifest.Binding(policy: "same-cpu", vcpus: "1,0", scheduling: "rr:2"))
        // Others may test as well, and their machines are called so too.
        let vms = manifest.topology.vms.filter { $0.name == "NAME" }
        #expect(
            vms.contains { $0.vcpus.map(\.cpus) == ["1", "0"] && $0.vhostWorkers.map(\.cpus) == ["1", "0"] }, "\(vms)")
    }

    @Test func `a recorder that is killed leaves nothing bound, and with its guard killed the next run restores`()
        async throws
    {
        let run = try await FakeHost.run(
            Self.agent + #"""
                # The agent may still be at what the one that was killed has left.
                start() {
                    for ((try = 0; try < 50; try++)); do
                        "$VIRTLAT" record $guest --bind cpus=0 -o $1 2> $1.log & recorder=$!
                        until_says 'virtlat: recording\|is busy' $1.log
                        grep -q 'virtlat: recording' $1.log && return
                        wait $recorder
                    done
                }
                start a
                [ "$before" = "$(threads)" ] || echo bound
                kill -KILL $recorder; wait $recorder 2> /dev/null
                restored
                for ((i = 0; i < 500; i++)); do [ -z "$(ls -d /sys/kernel/tracing/instances/virtlat-$recorder-* 2> /dev/null)" ] && break; sleep 0.01; done
                start b
                "$VIRTLAT" bind --vm $name --policy unbound; echo $?
                "$VIRTLAT" bind --restore; echo $?
                kill -KILL $(cat /proc/$recorder/task/*/children) $recorder; wait $recorder 2> /dev/null
                sleep 0.2
                [ "$before" = "$(threads)" ] || echo bound
                "$VIRTLAT" bind --vm $name --policy cpus=1 > /dev/null; echo $?
                "$VIRTLAT" bind --restore
                restored
                """#)
        #expect(run.output == "bound\nrestored\n1\n1\nbound\n0\nrestored NAME: 2 threads\nrestored\n", "\(run)")
        #expect(run.errors.contains("is bound for a recording that goes on"))
        #expect(run.errors.contains("restored NAME first: a virtlat that was killed had left it bound"))
    }

    @Test func `what can't be bound is not recorded`() async throws {
        let run = try await FakeHost.run(
            Self.agent + #"""
                "$VIRTLAT" record $guest --bind cpus=7000 --duration 100ms -o s; echo $?
                "$VIRTLAT" record --vm other=${guest#*=} --bind cpus=0 --duration 100ms -o s; echo $?
                ls -d s; restored
                """#)
        #expect(run.output == "1\n1\nrestored\n", "\(run)")
        #expect(
            run.errors.contains("CPU 7000: not there")
                && run.errors.contains("other: which VM of this host it is was not found"))
    }

    @Test func `without room in /run for the account nothing is bound, and nothing recorded`() async throws {
        let run = try await FakeHost.run(
            Self.agent + #"""
                for room in 4k,nr_inodes=2 4k; do
                    mount -t tmpfs -o mode=755,size=$room none /run
                    [ $room != 4k ] || head -c 1M /dev/zero > /run/filler 2> /dev/null
                    "$VIRTLAT" record $guest --bind cpus=0 --duration 100ms -o s; echo $?
                    restored; ls -d s; ls -A $account
                done
                umount /run; umount /run
                "$VIRTLAT" record $guest --bind cpus=0 --duration 100ms -o s > /dev/null 2>&1; echo $?
                restored
                """#)
        #expect(run.output == "1\nrestored\n1\nrestored\nlock\n0\nrestored\n", "\(run)")
        #expect(run.errors.components(separatedBy: "No space left on device").count == 3, "\(run.errors)")
    }

    @Test func `an experiment records each arm in each round, and goes on where it was killed`() async throws {
        let run = try await FakeHost.run(
            Self.agent + #"""
                experiment="$VIRTLAT experiment $guest --arm cpus=0 --arm cpus=1+fifo:2 --rounds 2 --duration 300ms --settle 50ms --seed 3 -o x"
                $experiment > /dev/null 2> log &
                recorder=$!
                until_says recorded log
                sleep 0.4
                kill -KILL $recorder; wait $recorder 2> /dev/null
                restored
                $experiment > /dev/null 2> log2 &
                recorder=$!
                until_says recorded log2
                $experiment > /dev/null; echo $?
                sleep 0.2
                kill -TERM $recorder; wait $recorder; echo $?
                restored
                tail -1 log2
                $experiment > comparison 2> log3; status=$?
                grep '^virtlat compare' log3; head -1 comparison; echo $status
                restored
                rm -r x/cpus-0-2 x/*.broken-*
                $experiment > /dev/null 2>&1; echo $?
                ls x
                ${experiment/--seed 3/--seed 4}; echo $?
                """#)
        let lines = run.output.split(separator: "\n").map { String($0) }
        try #require(lines.count > 10, "\(run)")
        #expect(Array(lines[0...3]) == ["restored", "1", "1", "restored"], "\(run)")
        #expect(lines[4].contains("of 4 recordings done, and everything restored"))
        #expect(
            lines[5]
                == "virtlat compare --arm cpus-0=x/cpus-0-1,x/cpus-0-2 --arm cpus-1-fifo-2=x/cpus-1-fifo-2-1,x/cpus-1-fifo-2-2",
            "\(lines)")
        #expect(lines[6].hasPrefix("cpus-0 ") && lines[6].contains("2 sessions"))
        #expect(Array(lines[7...9]) == ["0", "restored", "0"])
        let folders = lines[10...].filter { !$0.contains(".broken-") }
        #expect(
            folders == ["cpus-0-1", "cpus-0-2", "cpus-1-fifo-2-1", "cpus-1-fifo-2-2", "experiment.json", "1"],
            "\(lines)")
        #expect(run.errors.contains("x: another virtlat goes on with this experiment"))
        #expect(run.errors.contains("x: has another experiment"))
    }

    @Test func `a workload ends a recording and is ended with it, and one that fails is tried three times`()
        async throws
    {
        let run = try await FakeHost.run(
            Self.agent + #"""
                arms="--arm cpus=0 --arm cpus=1 --rounds 1 --settle 0s"
                "$VIRTLAT" experiment $guest $arms -o quick --workload 'cat; echo ran >> ran; sleep 987 & sleep 0.1' > /dev/null 2>&1; echo $?
                wc -l < ran
                "$VIRTLAT" experiment $guest $arms -o long --workload 'sleep 987; true' --duration 200ms > /dev/null 2>&1; echo $?
                pgrep -fx 'sleep 987' | while read p; do readlink /proc/$p/cwd; done | grep -c /run/work
                "$VIRTLAT" experiment $guest $arms -o broken --workload 'exit 3' > /dev/null; echo $?
                ls broken | wc -l
                "$VIRTLAT" experiment $guest --arm cpus=0 --arm cpus=7000 --rounds 1 --duration 100ms -o none; echo $?
                restored
                """#)
        #expect(run.output == "0\n2\n0\n0\n1\n4\n1\nrestored\n", "\(run)")
        #expect(run.errors.contains("three times over: the workload ended with status 3"))
        #expect(run.errors.contains("cpus-7000: CPU 7000: not there"))
    }
}
