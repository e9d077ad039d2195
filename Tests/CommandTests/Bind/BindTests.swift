// virtlat bind on threads that are bound for real; what was before comes back whatever ends a recording.

import Foundation
import Testing

@Suite(.enabled(if: FakeHost.isPossible, FakeHost.reason)) struct BindTests {
    @Test func `binding and restoring, as a person does it`() async throws {
        let run = try await FakeHost.run(
            #"""
            before=$(threads)
            "$VIRTLAT" bind --vm $name --policy same-cpu --vcpus 1,0 --dry-run || exit 1
            [ "$before" = "$(threads)" ] && [ ! -e /run/virtlat ] && echo unchanged
            "$VIRTLAT" bind --vm $name --policy same-cpu --vcpus 1,0 --sched fifo:3 || exit 1
            threads
            stat -c '%a %n' /run/virtlat $account $account/*.json | sed "s,$account,ACCOUNT,; s/$web/PID/"
            "$VIRTLAT" bind --vm $web --policy cpus=0 > /dev/null || exit 1
            threads
            "$VIRTLAT" bind --restore --vm $name
            [ "$before" = "$(threads)" ] && echo restored
            ls $account
            "$VIRTLAT" bind --restore
            """#)
        let lines = run.output.split(separator: "\n").map { String($0) }
        try #require(lines.count > 16, "\(run)")
        #expect(lines[0].hasPrefix("NAME: pid "))
        #expect(lines[1].contains("vCPU 0") && lines[1].hasSuffix("-> CPU 1"), "\(lines)")
        #expect(lines[3].contains("vhost") && lines[3].hasSuffix("-> CPU 1"))
        #expect(lines[5] == "unchanged")
        #expect(lines[9].hasSuffix("-> CPU 1  other -> fifo:3"))
        #expect(lines[11].hasSuffix("CPU /KVM:1:0 CPU /KVM:0:0 vhost:1:1 vhost:0:1"), "\(lines[11])")
        #expect(
            Array(lines[12...14]) == [
                "700 /run/virtlat", "700 ACCOUNT", "600 ACCOUNT/PID-bind.json",
            ])
        #expect(lines[15].hasSuffix("CPU /KVM:1:0 CPU /KVM:0:0 vhost:0:1 vhost:0:1"))
        #expect(Array(lines[16...]) == ["restored NAME: 4 threads", "restored", "lock", "nothing is bound"])
        #expect(run.errors.contains("virtlat bind --restore brings back what was before"))
    }

    @Test func `in another pid namespace, where ids mean other processes, nothing is restored and no account is lost`()
        async throws
    {
        let run = try await FakeHost.run(
            #"""
            before=$(threads)
            "$VIRTLAT" bind --vm $name --policy cpus=0 --vcpus 1,0 > /dev/null 2>&1 || exit 1
            unshare --pid --fork --mount-proc "$VIRTLAT" bind --restore || exit 1
            [ -e $account/$web-bind.json ] && echo kept
            "$VIRTLAT" bind --restore --vm $name
            [ "$before" = "$(threads)" ] && echo restored
            """#)
        #expect(run.output == "nothing is bound\nkept\nrestored NAME: 4 threads\nrestored\n", "\(run)")
    }

    @Test func `what can't be done is status 1, changes nothing and says why`() async throws {
        let run = try await FakeHost.run(
            #"""
            before=$(threads)
            "$VIRTLAT" bind --vm nobody --policy same-cpu; echo $?
            "$VIRTLAT" bind --vm $name --policy cpus=7000; echo $?
            mkdir -p $account; echo '{' > $account/$web-bind.json
            chmod 700 /run/virtlat $account
            "$VIRTLAT" bind --vm $name --policy cpus=0; echo $?
            "$VIRTLAT" bind --restore; echo $?
            cat $account/$web-bind.json
            rm $account/$web-bind.json
            setpriv --reuid 1000 --clear-groups "$VIRTLAT" bind --vm $name --policy cpus=0; echo $?
            [ "$before" = "$(threads)" ] && echo unchanged
            """#)
        #expect(run.output == "1\n1\n1\n1\n{\n1\nunchanged\n", "\(run)")
        for text in [
            "no virtual machine here is called nobody", "NAME, process ", "CPU 7000: not there, or offline",
            "-bind.json: can't be read",
            "CAP_SYS_NICE",
        ] {
            #expect(run.errors.contains(text), "\(text) in \(run.errors)")
        }
    }

    @Test(arguments: [
        ["bind"], ["bind", "--vm", "g"], ["bind", "--policy", "same-cpu"], ["bind", "--vm", "g", "--policy", "nearby"],
        ["bind", "--vm", "g", "--policy", "cpus="], ["bind", "--vm", "g", "--vcpus", "x"],
        ["bind", "--vm", "g", "--sched", "fifo"],
        ["bind", "--vm", "g", "--sched", "fifo:100"], ["bind", "--restore", "--policy", "same-cpu"],
        ["bind", "--restore", "--dry-run"],
        ["record", "--bind", "same-cpu"], ["record", "--vcpus", "current"],
        ["record", "--vm", "g=vsock:3", "--bind", "nearby"],
        ["experiment", "--vm", "g=vsock:3", "--arm", "unbound", "--duration", "1s", "-o", "x"],
        ["experiment", "--vm", "g=vsock:3", "--arm", "unbound", "--arm", "unbound", "--duration", "1s", "-o", "x"],
        ["experiment", "--vm", "g=vsock:3", "--arm", "unbound", "--arm", "same-cpu", "-o", "x"],
        ["experiment", "--vm", "g=vsock:3", "--arm", "unbound", "--arm", "same-cpu", "--duration", "0s", "-o", "x"],
        ["experiment", "--vm", "g=vsock:3", "--arm", "unbound", "--arm", "same-cpu", "--duration", "1s"],
        [
            "experiment", "--vm", "g=vsock:3", "--arm", "unbound", "--arm", "same-cpu", "--duration", "1s", "--rounds",
            "0", "-o", "x",
        ],
        [
            "experiment", "--vm", "g=vsock:3", "--arm", "unbound", "--arm", "same-cpu+fifo", "--duration", "1s", "-o",
            "x",
        ],
        ["experiment", "--arm", "unbound", "--arm", "same-cpu", "--duration", "1s", "-o", "x"],
    ])
    func `wrong usage is status 64 and says how it is done`(arguments: [String]) async throws {
        let run = try await Command.virtlat(arguments)
        #expect(run.status == 64 && run.output.isEmpty, "\(run)")
        #expect(run.errors.contains("Usage: virtlat"), "\(run.errors)")
    }

    @Test(arguments: ["bind", "experiment"])
    func `help has examples and exit statuses`(verb: String) async throws {
        let run = try await Command.virtlat(verb, "--help")
        #expect(run.status == 0)
        for section in ["USAGE", "EXAMPLES", "EXIT STATUS", "OPTIONS"] { #expect(run.output.contains(section)) }
    }
}
