// A path, by the name that people give it.

import ArgumentParser
import PacketPath

struct PathName: ExpressibleByArgument {
    let kind: PathKind

    static let allValueStrings = PathKind.allCases.map(\.name)

    init?(argument: String) {
        guard let kind = PathKind.allCases.first(where: { $0.name == argument }) else { return nil }
        self.kind = kind
    }
}
