// virtlat vms on whatever machine the tests run on: it need not be a KVM host.

import Testing

@Suite struct VMsTests {
    @Test func `the host is described wherever the command runs`() async throws {
        let run = try await Command.virtlat("vms")
        #expect(run.status == 0, "\(run)")
        #expect(run.output.hasPrefix("host "), "\(run.output)")
        #expect(
            run.output.contains("pid ") || run.output.hasSuffix("\nno virtual machine uses KVM here\n"), "\(run.output)"
        )
    }

    @Test func `JSON has a version and the host's facts, and nothing but JSON on standard output`() async throws {
        let run = try await Command.virtlat("vms", "--format", "json")
        #expect(run.status == 0, "\(run)")
        let json = try JSON(run.output)
        #expect(json.object.keys.sorted() == ["host", "schema", "vms"])
        #expect(json["schema"] == .integer(1))
        #expect(try json["host"].integer("cpus") > 0)
    }

    @Test func `what can't be written is status 1, and csv is no format of it`() async throws {
        let full = try await Command.shell(#""$VIRTLAT" vms > /dev/full"#)
        #expect(full.status == 1)
        #expect(full.errors.contains("No space left"), "\(full.errors)")
        #expect(try await Command.virtlat("vms", "--format", "csv").status == 64)
    }
}
