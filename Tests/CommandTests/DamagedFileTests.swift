// Files that were cut off or changed on their way: an error that names the place, or a result that tells of the damage;
// never a crash.

import Foundation
import Testing

@Suite struct DamagedFileTests {
    @Test(arguments: ["host.dat", "host-g3.dat"])
    func `a file that ends too early says where, and what to do`(name: String) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.copy(Recording.steady.host, to: "host.dat")
        try folder.copy(Recording.steady.guest, to: "host-g3.dat")
        let whole = try RecordedFile(folder.path(name))
        // In the header, in each OPTIONS section, and in the events; what lies behind the last is never looked at.
        let ends = whole.options.filter { $0.id == 0 }.map(\.place)
        let cuts = [11, 15, 20, whole.headerEnd + 4, whole.bytes.count / 4, whole.bytes.count / 2] + ends
        for cut in cuts {
            try folder.write(whole.bytes.prefix(cut), to: name)
            let run = try await Command.virtlat("analyze", folder.path)
            run.expectRefusal(naming: folder.path(name), saying: "ends too early", "copy")
            #expect(run.errors.contains("at byte "), "cut at \(cut): \(run.errors)")
        }
    }

    @Test func `a cut inside the magic bytes is no recording`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let whole = try RecordedFile(Recording.steady.host)
        for cut in [1, 3, 9] {
            try await Command.virtlat("analyze", folder.write(whole.bytes.prefix(cut), to: "host.dat"))
                .expectRefusal(naming: folder.path("host.dat"), saying: "is not a trace.dat file")
        }
    }

    @Test func `no cut crashes or hangs, or prints a result with an error`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let whole = try RecordedFile(Recording.steady.guest)
        try folder.copy(Recording.steady.host, to: "host.dat")
        for step in 1..<24 {
            try folder.write(whole.bytes.prefix(whole.bytes.count * step / 24), to: "host-g3.dat")
            let run = try await Command.virtlat("analyze", folder.path)
            #expect(
                run.status == 1 && run.output.isEmpty && run.errors.contains("host-g3.dat"), "cut at \(step)/24: \(run)"
            )
        }
    }

    @Test func `changed bytes never crash it`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.copy(Recording.steady.guest, to: "host-g3.dat")
        let whole = try RecordedFile(Recording.steady.host)
        // The same changes each time (Knuth's multiplicative generator): a failure can be looked at again.
        var state: UInt64 = 1
        let next = { (below: Int) -> Int in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(below))
        }
        for round in 0..<20 {
            var damaged = whole
            // Half of the rounds in what the file says of itself, half anywhere.
            for _ in 0..<8 {
                let options = damaged.options[next(damaged.options.count)]
                let place = round % 2 == 0 ? options.place + next(6 + options.data.count) : next(whole.bytes.count)
                damaged.set(next(256), at: place, bytes: 1)
            }
            try folder.write(damaged.bytes, to: "host.dat")
            let run = try await Command.virtlat("analyze", folder.path)
            #expect(run.status == 0 || run.status == 1, "round \(round)")
            #expect(run.output.isEmpty == (run.status == 1), "round \(round): \(run.errors)")
        }
    }

    @Test func `a damaged chunk is told of, and its events count as lost`() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        try folder.copy(Recording.steady.guest, to: "host-g3.dat")
        var host = try RecordedFile(Recording.steady.host)
        // Option BUFFER: its section's place, an empty name, the clock's name, page size, CPUs; then CPU, place and
        // size of each.
        let buffer = try #require(host.options.last { $0.id == 3 })
        let data = try #require(host.bytes[(buffer.data.lowerBound + 9)...].firstIndex(of: 0)) + 9
        let (place, size) = (host.number(at: data + 4, bytes: 8), host.number(at: data + 12, bytes: 8))
        try #require(size > 64 && place + size <= host.bytes.count)
        // Behind the number of chunks and the first one's two sizes its zstd frame begins, with a magic number (RFC
        // 8878, 3.1.1).
        try #require(host.number(at: place + 12, bytes: 4) == 0xfd2f_b528)
        for index in 0..<64 { host.set(0xff, at: place + 12 + index, bytes: 1) }
        try folder.write(host.bytes, to: "host.dat")
        let run = try await Command.virtlat("analyze", folder.path, "--format", "json")
        #expect(run.status == 0)
        #expect(
            run.errors.contains("host.dat") && run.errors.contains("compressed chunk")
                && run.errors.contains("at byte "))
        let flow = try #require(JSON(run.output)["flows"].list.first)
        #expect(try flow["packets"]["incomplete"].integer("lost-events") > 0)
    }
}
