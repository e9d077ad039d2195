// This machine with a virtual machine that is none, in a mount namespace where nothing of it is anybody else's: /run,
// and debugfs, without which threads are known by their names.

import Foundation
import Testing

enum FakeHost {
    static let isPossible = geteuid() == 0 && ProcessInfo.processInfo.activeProcessorCount > 1
    static let reason: Comment = "BINDING IS NOT TESTED: it needs root and two CPUs"

    /// What every script begins with: `$name` is the machine's name and `$web` its process, `$account` is virtlat's
    /// folder in /run, `threads` prints where its threads may run.
    private static let preamble = #"""
        set -u
        mount -t tmpfs none /sys/kernel/debug && mount -t tmpfs none /run && mkdir /run/work && cd /run/work || exit 99
        # Others may test as well, and all see the same processes.
        name=web$$
        # Where virtlat keeps account of what it binds; a container, where the tests may run, has its own.
        account=/run/virtlat/affinity namespace=$(readlink /proc/self/ns/pid | tr -dc 0-9)
        [ $namespace = 4026531836 ] || account=$account-$namespace
        # Nothing is left of a script that is killed.
        setpriv --pdeathsig KILL "$VM" -name guest=$name -smp 2 -workers 2 > started &
        web=$!
        trap 'kill -KILL $(jobs -p) 2> /dev/null' EXIT
        for ((i = 0; i < 500; i++)); do grep -q ready started 2> /dev/null && break; sleep 0.01; done
        threads() {
            for task in /proc/$web/task/*; do
                echo "$(cat $task/comm | tr -d 0-9):$(grep Cpus_allowed_list $task/status | cut -f 2):$(cut -d ' ' -f 41 $task/stat)"
            done | paste -sd ' ' | sed "s,-:,:,g"
        }

        """#

    /// The threads before anything is bound: QEMU's, two vCPUs', two workers', with the policy of each.
    static func run(
        _ script: String, patience: Duration = Command.patience, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Run {
        let unshare = try Command.path(of: "unshare", package: "util-linux")
        let vm = URL(fileURLWithPath: Command.executable).deletingLastPathComponent().appendingPathComponent("fake-vm")
            .path
        var run = try await Command.run(
            [unshare, "--mount", "--propagation", "private", "/bin/bash", "-c", preamble + script],
            environment: ["VIRTLAT": Command.executable, "VM": vm], patience: patience)
        #expect(!run.isStuck && run.status == 0, "\(run)", sourceLocation: sourceLocation)
        #expect(!run.errors.contains("Fatal error"), "\(run.errors)", sourceLocation: sourceLocation)
        let name = try Regex("web[0-9]+")
        run.output.replace(name, with: "NAME")
        run.errors.replace(name, with: "NAME")
        return run
    }
}
