// Every path and every kind of kernel, recorded by virtlat on a live host and guest, and held against what the
// applications wrote down.

import Foundation
import Testing

extension LabTests {
    /// One boot and one recording for each way a packet can take, beside the tap.
    @Test(
        .timeLimit(.minutes(30)),
        arguments: [
            ["--path", "macvtap"], ["--path", "ovs"], ["--path", "xdp"], ["--path", "xdp-native"], ["--path", "vfio"],
            ["--no-vhost"],
            ["--path", "host"], ["--kernel-option", "threadirqs"],
        ])
    func `each packet on each path is what the application saw of it`(path: [String]) async throws {
        try await Lab.up(path) {
            let name = path.joined(separator: " ").filter { $0 != "-" }.replacingOccurrences(of: " ", with: "-")
            try await holdPath(
                ["--count", "200"] + (path.contains("ovs") ? ["--first", "ovs-dpctl del-flows"] : []), into: name)
        }
    }

    /// Newer kernels tell of readers by other events; in a burst their stack receives packets as lists.
    @Test(.timeLimit(.minutes(45)))
    func `each packet on the newest kernel is what the application saw of it, one by one and in bursts`() async throws {
        try await Lab.up(["--kernel", "newest"]) {
            try await holdPath(["--count", "200"], into: "newest")
            try await holdPath(["--count", "192", "--burst", "8", "--interval", "60ms"], into: "newest-burst")
        }
    }

    /// A recording of these packets, held against the applications' logs.
    private func holdPath(_ traffic: [String], into name: String) async throws {
        let folder = try await Lab.record(["record"] + traffic, into: name, lack: Lab.incomplete)
        let live = PathRecording(folder: folder)
        let tests = PathTests()
        try await tests.`what was recorded is whole, and every packet was answered`(recording: live)
        try await tests.`the path has its name, and no packet is on another one`(recording: live)
        try await tests.`each packet that was read is one journey, and no journey was read by nobody`(recording: live)
        try await tests.`each packet that was sent is one journey, and no journey was sent by nobody`(recording: live)
        try await tests.`no host half is joined to another packet's guest half`(recording: live)
        try await tests.`time runs forward, stages tile, and every packet is accounted for`(recording: live)
        try await holdExactly(folder, complete: 0.99)
    }

    /// - Parameter share: of the packets, that must be complete.
    func holdExactly(_ folder: String, complete share: Double) async throws {
        let tests = ExactTests()
        try await tests.holdReads(PathRecording(folder: folder), complete: share)
        try await tests.holdSends(PathRecording(folder: folder), complete: share)
    }

    @Test(.timeLimit(.minutes(45)))
    func `two guests are recorded at once, and one that dies costs only its own trace`() async throws {
        try await Lab.up(["--path", "tap", "--guests", "2", "--vcpus", "2", "--queues", "2"]) {
            try await recordTwoGuests()
            try await holdPath(
                ["--guest", "g3", "--flows", "2", "--count", "100", "--interval", "20ms"], into: "two-queues")
            try await holdPath(
                ["--from", "g3", "--guest", "g4", "--count", "100", "--interval", "20ms"], into: "guest-to-guest")

            // The recorder goes on when a guest is gone: the command it records ends the guest.
            try await Lab.expectMachines()
            let death = try await Lab.run([
                "exec", "host", "--", "sh", "-c",
                """
                rm -rf /tmp/death
                /usr/local/bin/virtlat record -o /tmp/death --vm g3=vsock:3 --vm g4=vsock:4 -- \
                    sh -c 'sleep 1; kill -9 $(cat /run/lab/g4.pid); sleep 1'
                echo "status $?"
                ls /sys/kernel/tracing/instances
                """,
            ])
            try await Lab.expectMachines(death.errors, besides: "g4")
            #expect(death.output.contains("status 1"), "\(death.output)\(death.errors)")
            #expect(death.errors.contains("g4: lost during the recording"), "\(death.errors)")
            #expect(!death.output.contains("virtlat-"), "an instance is left: \(death.output)")
            let rest = try await Lab.run(["exec", "host", "--", "/usr/local/bin/virtlat", "analyze", "/tmp/death"])
            #expect(rest.status == 0, "\(rest.errors)")
            #expect(rest.output.contains("g4 has no recording"), "\(rest.output)")
            #expect(rest.output.contains("guest g3"), "\(rest.output)")
        }
    }

    /// Of 200 packets to each guest all are seen; and all are complete, but where the machine is starved.
    private func recordTwoGuests() async throws {
        let verb = ["record", "--guest", "all", "--count", "200"]
        let folder = try await Lab.record(verb, into: "two-guests", lack: Lab.incomplete)
        let flows = try await PathRecording(folder: folder).analyzed().json["flows"].list
        for (guest, direction) in [("g3", "rx"), ("g3", "tx"), ("g4", "rx"), ("g4", "tx")] {
            let flow = try #require(
                flows.first { $0["machine"] == .text(guest) && $0["direction"] == .text(direction) })
            // Never fewer than were answered, and none that nobody sent but for a stray ARP or multicast.
            #expect(try (200...215).contains(flow["packets"].integer("seen")), "\(guest) \(direction)")
        }
        try await holdExactly(folder, complete: 0.95)
    }
}
