// A JSON document as it is, so that tests can tell null from absent and whole numbers from others.

import Foundation
import Testing

enum JSON: Decodable, Equatable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? value.decode(Int64.self) {
            self = .integer(integer)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([JSON].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    init(_ text: String) throws { self = try JSONDecoder().decode(JSON.self, from: Data(text.utf8)) }

    var object: [String: JSON] { if case .object(let object) = self { object } else { [:] } }
    var list: [JSON] { if case .list(let list) = self { list } else { [] } }
    subscript(key: String) -> JSON { object[key] ?? .null }

    func text(_ key: String) throws -> String {
        guard case .text(let text) = self[key] else { return try #require(nil as String?, "\(key) is no text") }
        return text
    }

    func integer(_ key: String) throws -> Int64 {
        guard case .integer(let integer) = self[key] else {
            return try #require(nil as Int64?, "\(key) is no whole number")
        }
        return integer
    }

    func number(_ key: String) throws -> Double {
        switch self[key] {
        case .integer(let integer): Double(integer)
        case .number(let number): number
        default: try #require(nil as Double?, "\(key) is no number")
        }
    }
}

/// What a value must look like.
indirect enum Shape: Sendable {
    case text
    case flag
    case word(Set<String>)
    case integer
    case number
    case optional(Shape)
    case list(Shape)
    /// Exactly these keys.
    case object([String: Shape])
    /// Some of these keys.
    case dictionary(Set<String>, Shape)
    /// Any keys.
    case map(Shape)

    /// Where `value` has another shape, and how.
    func faults(_ value: JSON, at place: String = "$") -> [String] {
        switch (self, value) {
        case (.text, .text), (.flag, .bool), (.integer, .integer), (.number, .integer), (.number, .number),
            (.optional, .null):
            return []
        case (.word(let words), .text(let word)):
            return words.contains(word) ? [] : ["\(place): \(word) is no word of it"]
        case (.optional(let shape), _): return shape.faults(value, at: place)
        case (.list(let shape), .list(let list)):
            return list.enumerated().flatMap { shape.faults($1, at: "\(place)[\($0)]") }
        case (.object(let shapes), .object(let object)):
            let missing = Set(shapes.keys).subtracting(object.keys).sorted().map { "\(place): \($0) is missing" }
            let foreign = Set(object.keys).subtracting(shapes.keys).sorted().map {
                "\(place): \($0) does not belong here"
            }
            return missing + foreign
                + shapes.flatMap { key, shape in object[key].map { shape.faults($0, at: "\(place).\(key)") } ?? [] }
        case (.dictionary(let keys, let shape), .object(let object)):
            return object.flatMap { key, value in
                (keys.contains(key) ? [] : ["\(place): \(key) is no word of it"])
                    + shape.faults(value, at: "\(place).\(key)")
            }
        case (.map(let shape), .object(let object)):
            return object.flatMap { key, value in shape.faults(value, at: "\(place).\(key)") }
        default: return ["\(place): \(value) is not of the kind \(self)"]
        }
    }
}
