// What is unknown is null in JSON, and not left out.

import Foundation
import Notation
import Testing

@Suite struct NullableTests {
    private struct Row: Encodable, Equatable {
        var name: String
        @Nullable var error_ns: Int64?
        @Nullable var bounds: [Double]?
    }

    private func text(_ row: Row) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return String(decoding: try encoder.encode(row), as: UTF8.self)
    }

    @Test func `an unknown value keeps its key`() throws {
        #expect(try text(Row(name: "a", error_ns: nil, bounds: nil)) == #"{"bounds":null,"error_ns":null,"name":"a"}"#)
    }

    @Test func `a known value is written as if it were not wrapped`() throws {
        #expect(
            try text(Row(name: "a", error_ns: 7, bounds: [0.5, 1])) == #"{"bounds":[0.5,1],"error_ns":7,"name":"a"}"#)
        #expect(Row(name: "a", error_ns: 7, bounds: nil) != Row(name: "a", error_ns: nil, bounds: nil))
    }
}
