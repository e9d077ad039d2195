// systemd as the first process of namespaces of its own, with one unit to run: the agent's.

import Foundation
import Testing

/// It has a /run and control groups of its own, and can't change settings of the kernel. Process ids are others there;
/// the network is this machine's, and so is tracefs.
struct Systemd {
    static let program = "/lib/systemd/systemd"
    static let isThere = (try? Command.path(of: "systemd-analyze", package: "")) != nil
    static let reason: Comment = "THE AGENT'S UNIT IS NOT TESTED: systemd is needed (make test installs it)"

    static let canRun =
        FileManager.default.isExecutableFile(atPath: program) && hasControlGroups && !isHidden(Command.executable)
        && !isHidden(FileManager.default.temporaryDirectory.path)
    static let cantRun: Comment =
        "NO AGENT UNDER SYSTEMD: it takes systemd, control groups (version 2), and a checkout that is not below /home or /root"

    private static let hasControlGroups =
        (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8))?.split(separator: "\n").contains {
            $0.hasPrefix("0::")
        } == true
    /// ProtectHome hides it from the agent.
    private static func isHidden(_ path: String) -> Bool { ["/home/", "/root/"].contains { path.hasPrefix($0) } }

    /// Its arguments: the folder of the test, the port. Ends when systemd does, and leaves no control group.
    private static let script = #"""
        set -eu
        # The kernel refuses the same one on top of itself.
        mount -t tmpfs none /sys/fs/cgroup
        mount -t cgroup2 none /sys/fs/cgroup
        group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/virtlat-test-$$
        mkdir "$group"
        trap 'sleep 0.1; find "$group" -depth -type d -exec rmdir {} +' EXIT
        (
            echo 0 > "$group/cgroup.procs"
            exec unshare --mount --pid --fork --kill-child --uts --ipc --cgroup --mount-proc /bin/bash -euc '
                mount -t tmpfs -o mode=755 none /run
                mount -t tmpfs none /sys/fs/cgroup
                mount -t cgroup2 none /sys/fs/cgroup
                mount --bind /proc/sys /proc/sys
                mount -o remount,bind,ro /proc/sys
                mount --bind "$1/machine" /sys/kernel/tracing/README
                units=/run/systemd/system
                mkdir -p $units/virtlat-agent.service.d
                cp "$1/virtlat-agent.service" $units
                cp "$1/test.conf" $units/virtlat-agent.service.d
                cp "$1/key" /run/virtlat.key
                mkdir /run/virtlat-spool
                ln -s /dev/null $units/modprobe@.service
                exec env -i container=virtlat PATH=/usr/sbin:/usr/bin:/sbin:/bin "$0" --unit=virtlat-agent.service --show-status=no \
                    --log-target=console
            ' "$0" "$@"
        )
        """#

    let unit: AgentUnit
    private let folder: TemporaryFolder
    private let command: RunningCommand
    private let port: Int

    /// What a recorder needs to record it as `g`.
    var options: [String] { ["--vm", "g=tcp:127.0.0.1:\(port)", "--key-file", folder.path("key")] }
    /// What the agent says.
    var log: String { (try? folder.text("log")) ?? "" }

    /// - Parameter spools: whether the trace waits in files, in the one folder that can be written then.
    init(running unit: AgentUnit, spools: Bool) async throws {
        self.unit = unit
        folder = try TemporaryFolder()
        port = 18_000 + Int(getpid()) % 1000
        try #require(try await Command.virtlat("agent", "--new-key", folder.path("key")).status == 0)
        try folder.write([], to: "machine")
        try folder.write(unit.text.utf8, to: "virtlat-agent.service")
        // What Documentation/agent.md adds for TCP and a spool; nothing else of a machine is started; and systemd ends
        // with the agent.
        let addition = """
            [Unit]
            DefaultDependencies=no
            SuccessAction=exit
            FailureAction=exit
            [Service]
            ExecStart=
            ExecStart=\(Command.executable) agent --tcp 127.0.0.1:\(port) --key-file /run/virtlat.key\(spools ? " --spool /run/virtlat-spool" : "")
            RestrictAddressFamilies=AF_INET AF_INET6
            IPAddressAllow=localhost
            \(spools ? "ReadWritePaths=/run/virtlat-spool" : "")
            Restart=no
            StandardError=file:\(folder.path("log"))

            """
        try folder.write(addition.utf8, to: "test.conf")
        let unshare = try Command.path(of: "unshare", package: "util-linux")
        command = try RunningCommand([
            unshare, "--mount", "--propagation", "private", "/bin/bash", "-c", Self.script, Self.program, folder.path,
        ])
    }

    /// Waits until the agent listens.
    /// - Returns: its process id outside.
    func agent() async throws -> Int32 {
        let end = ContinuousClock.now + .seconds(20)
        while !log.contains("listening on") {
            try #require(command.isRunning && ContinuousClock.now < end, "\(log)\(command.errors)")
            try await Task.sleep(for: .milliseconds(20))
        }
        return try #require(
            Self.descendants(of: command.id).first { Self.text("/proc/\($0)/cmdline").contains("agent\0--tcp") })
    }

    /// Waits until systemd has ended.
    func end() async throws -> Run { try await command.end() }

    func remove() { folder.remove() }

    private static func descendants(of process: Int32) -> [Int32] {
        text("/proc/\(process)/task/\(process)/children").split(separator: " ").compactMap { Int32($0) }
            .flatMap { [$0] + descendants(of: $0) }
    }

    private static func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
}
