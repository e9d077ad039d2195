// The virtlat beside the running tests.

import LinuxSystem
import Testing

enum BuiltProgram {
    static func path() throws -> String {
        let own = try #require(Link.target(of: "/proc/self/exe"))
        return own.prefix(upTo: own.lastIndex(of: "/") ?? own.endIndex) + "/virtlat"
    }
}
