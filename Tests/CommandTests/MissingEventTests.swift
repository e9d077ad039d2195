// Recordings without an event the path needs: the output says which, and what can't be said without it.

import Testing

@Suite struct MissingEventTests {
    /// Uncompressed copies, made once.
    private actor Plain {
        static let shared = Plain()
        private var tasks: [String: Task<RecordedFile, any Error>] = [:]

        func copy(_ path: String) async throws -> RecordedFile {
            let task = tasks[path] ?? Task { try await RecordedFile.uncompressed(path) }
            tasks[path] = task
            return try await task.value
        }
    }

    @Test func `an event whose format no kernel writes is not read, and that is said`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        var file = try await Plain.shared.copy(Recording.steady.host)
        try file.spoil(formatOf: "netif_receive_skb")
        try folder.copy(Recording.steady.guest, to: "host-g3.dat")
        try folder.write(file.bytes, to: "host.dat")
        for format in ["text", "json"] {
            let run = try await Command.virtlat("analyze", folder.path, "--format", format)
            let said = format == "text" ? run.output : run.errors
            #expect(run.status == 0)
            #expect(
                said.contains("host.dat: the format of netif_receive_skb is not one that a kernel writes"), "\(said)")
        }
    }

    @Test(arguments: [
        ("host", "irq_handler_entry"), ("host", "softirq_raise"), ("host", "netif_receive_skb"),
        ("host", "net_dev_start_xmit"), ("host", "net_dev_xmit"), ("host", "skb_copy_datagram_iovec"),
        ("host", "sched_switch"),
        ("host", "sched_waking"), ("host", "kvm_entry"), ("host", "kvm_exit"), ("host", "kvm_msi_set_irq"),
        ("guest", "irq_handler_entry"),
        ("guest", "softirq_raise"), ("guest", "napi_gro_receive_entry"), ("guest", "napi_poll"),
        ("guest", "net_dev_start_xmit"),
        ("guest", "sched_switch"), ("guest", "sched_waking"), ("guest", "sys_enter_sendto"),
    ])
    func `an event that was not recorded is named`(role: String, event: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let recording = Recording.steady
        var file = try await Plain.shared.copy(role == "host" ? recording.host : recording.guest)
        try file.hide(event: event)
        try folder.copy(
            role == "host" ? recording.guest : recording.host, to: role == "host" ? "host-g3.dat" : "host.dat")
        try folder.write(file.bytes, to: role == "host" ? "host.dat" : "host-g3.dat")
        let run = try await Command.virtlat("analyze", folder.path, "--packets", folder.path("packets.csv"))
        #expect(run.status == 0)
        let name = role == "host" ? "l1" : "g3"
        let notes = run.output.split(separator: "\n").filter { $0.hasPrefix("note: ") }
        #expect(
            notes.contains { $0.hasPrefix("note: \(name) has no event of: ") && $0.contains("\(event) (") },
            "\(notes) for \(event)")

        let json = try await Command.virtlat("analyze", folder.path, "--format", "json")
        #expect(json.status == 0)
        #expect(json.errors.contains("\(event) ("), "\(json.errors)")
        for flow in try JSON(json.output)["flows"].list {
            let packets = flow["packets"]
            let incomplete = try packets["incomplete"].object.keys.reduce(0) {
                $0 + (try packets["incomplete"].integer($1))
            }
            #expect(try packets.integer("seen") == packets.integer("complete") + incomplete, "\(event)")
        }
        // What is still called complete has every point that it needs.
        for row in try JourneyRow.rows(folder.text("packets.csv")) where row.isComplete {
            // Its place in the order of the tap does without the copy.
            let isUncopied = role == "host" && event == "skb_copy_datagram_iovec"
            #expect(
                row.grammar.steps.allSatisfy { step in
                    !step.isRequired || row.times[step.point] != nil || isUncopied && step.point == "vhost.copy"
                }, "\(row.text)")
            #expect(zip(row.way, row.way.dropFirst()).allSatisfy { $0.time <= $1.time }, "\(row.text)")
        }
    }

    @Test func `a recording with all events has no note`() async throws {
        #expect(try await Command.virtlat("analyze", Recording.steady.folder).output.contains("note:") == false)
    }
}
