// Threads of a real guest, bound on a real host: kernel threads among them.

import Foundation
import Testing

extension LabTests {
    /// Prints where vCPUs and vhost workers may run, and in which class, once `setup` was read.
    private static let setup = #"""
        cd /tmp; rm -rf x
        guest=$(pidof qemu-system-x86_64)
        threads() {
            for thread in $(ls /proc/$guest/task) $(pgrep "vhost-$guest"); do
                case $(cat /proc/$thread/comm) in CPU* | vhost*) ;; *) continue ;; esac
                echo "$(grep Cpus_allowed_list /proc/$thread/status | cut -f 2):$(sed 's/.*) //' /proc/$thread/stat | cut -d ' ' -f 39)"
            done | paste -sd ' '
        }
        restored() { for i in $(seq 100); do [ "$(threads)" = "0-1:0 0-1:0 0-1:0 0-1:0" ] && break; sleep 0.1; done; threads; }

        """#

    private func host(_ script: String) async throws -> [String] {
        let run = try await Lab.work(["exec", "host", "--", "bash", "-c", Self.setup + script])
        #expect(run.status == 0, "\(run)")
        return run.output.split(separator: "\n").map { String($0) }
    }

    @Test(.timeLimit(.minutes(30)))
    func `threads of a guest are where they were wanted, and back whatever ended it`() async throws {
        let free = "0-1:0 0-1:0 0-1:0 0-1:0"
        try await Lab.up(["--path", "tap", "--vcpus", "2"]) {
            // It brings the program and the agent there.
            _ = try await Lab.record(["record", "--count", "20"], into: "binding") { _ in nil }
            let bound = try await host(
                #"""
                threads
                virtlat bind --vm g3 --policy same-cpu --vcpus 1,0 --sched fifo:5 > /dev/null 2>&1
                threads
                virtlat bind --restore > /dev/null
                threads
                """#)
            if bound.last != free { try await Lab.expectMachines() }
            #expect(bound == [free, "1:0 0:0 1:1 0:1", free])
            let experiment =
                "virtlat experiment --arm unbound --arm same-cpu --vcpus 0,1 --rounds 1 --duration 2s --vm g3=vsock:3 -o x"
            let killed = try await host(
                "experiment='\(experiment)'\n"
                    + #"""
                    $experiment > /dev/null 2>&1 &
                    # In either arm the first vCPU is pinned; to ask once more may take too long here.
                    for i in $(seq 300); do state=$(threads); [ "${state%% *}" = 0:0 ] && break; sleep 0.1; done
                    kill -KILL $!
                    echo "${state%% *}"
                    restored
                    # The agent has to have seen it.
                    sleep 3
                    $experiment 2>&1 | grep '^virtlat compare'
                    threads
                    ls /run/virtlat/affinity
                    """#)
            if killed.count != 5 { try await Lab.expectMachines() }
            #expect(
                killed == [
                    "0:0", free, "virtlat compare --arm unbound=x/unbound-1 --arm same-cpu=x/same-cpu-1", free, "lock",
                ],
                "\(killed)")
        }
    }
}
