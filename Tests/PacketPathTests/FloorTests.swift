// The floors of PacketPath: each file calls downwards only, so that one file can be read, changed and tested without
// all others.

import Foundation
import Testing

@Suite struct FloorTests {
    /// From the bottom up. What stands in one folder may call within it, as long as no more than two files go round in
    /// a circle.
    private static let floors = [
        "Tables", "Points", "Paths", "Flights", "Kernel", "Virtqueue", "Wiring", "Plumbing", "", "Tracker/Identity",
        "Tracker/Stack", "Tracker/Ring", "Tracker/Plumbing", "Tracker",
    ]

    private struct Source {
        var name: String
        var floor: String
        /// Types, and functions of the tracker that other files may call.
        var offers: Set<String> = []
        /// Functions that it has itself, under whatever name another file has one too.
        var own: Set<String> = []
        var uses: Set<String> = []
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Sources/PacketPath"
    )
    .standardized

    private static func sources() throws -> [Source] {
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
            .sorted()
        return try paths.map { path in
            let text = try String(contentsOf: folder.appending(path: path), encoding: .utf8)
            return source(path, text.replacing(#/\/\/[^\n]*/#, with: "").replacing(#/"(\\.|[^"\\\n])*"/#, with: "\"\""))
        }
    }

    private static func source(_ path: String, _ text: String) -> Source {
        let parts = path.split(separator: "/")
        var source = Source(
            name: String(parts.last ?? "").replacing(".swift", with: ""), floor: parts.dropLast().joined(separator: "/")
        )
        for match in text.matches(of: #/\b(?:struct|class|enum|protocol)\s+([A-Z]\w*)/#) {
            source.offers.insert(String(match.1))
        }
        let isTracker = text.contains("extension Tracker") || text.contains("struct Tracker")
        if isTracker {
            for match in text.matches(of: #/(private )?(?:static |mutating |nonmutating )*func\s+(\w+)/#) {
                source.own.insert(String(match.2))
                if match.1 == nil { source.offers.insert(String(match.2)) }
            }
            // A call without anything before it is one of the tracker's own.
            for match in text.matches(of: #/(?:^|[^\w.])([a-z]\w*)\(/#) { source.uses.insert(String(match.1)) }
        }
        for match in text.matches(of: #/\b([A-Z]\w*)\b/#) { source.uses.insert(String(match.1)) }
        source.uses.subtract(source.own)
        source.uses.subtract(source.offers)
        return source
    }

    /// By file: the files it calls.
    private static func arrows(_ sources: [Source]) -> [[Int]] {
        var offering: [String: [Int]] = [:]
        for (index, source) in sources.enumerated() {
            for name in source.offers { offering[name, default: []].append(index) }
        }
        return sources.map { source in Array(Set(source.uses.flatMap { offering[$0] ?? [] })) }
    }

    @Test func `no file calls a floor above its own`() throws {
        let sources = try Self.sources()
        #expect(sources.count > 50)
        let arrows = Self.arrows(sources)
        for (from, targets) in arrows.enumerated() {
            guard let floor = Self.floors.firstIndex(of: sources[from].floor) else { continue }
            for target in targets {
                guard let other = Self.floors.firstIndex(of: sources[target].floor) else { continue }
                let names = sources[from].uses.intersection(sources[target].offers).sorted()
                #expect(other <= floor, "\(sources[from].name) calls up to \(sources[target].name): \(names)")
            }
        }
    }

    @Test func `no more than two files call each other in a circle`() throws {
        let sources = try Self.sources()
        let arrows = Self.arrows(sources)
        /// All that can be reached from a file.
        func reachable(_ start: Int) -> Set<Int> {
            var (seen, open): (Set<Int>, [Int]) = ([], arrows[start])
            while let next = open.popLast() { if seen.insert(next).inserted { open += arrows[next] } }
            return seen
        }
        let reach = sources.indices.map(reachable)
        for index in sources.indices {
            let circle = sources.indices.filter { reach[index].contains($0) && reach[$0].contains(index) }
            #expect(circle.count <= 2, "\(circle.map { sources[$0].name })")
        }
    }
}
