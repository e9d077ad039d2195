// The value of one QEMU option: "tap,id=n0,ifname=tap0", or the same as JSON, as libvirt writes it.

import FoundationEssentials

/// Keys and values of an option of QEMU's command line.
struct OptionProperties: Equatable {
    private var values: [String: String]

    /// - Parameter impliedKey: what the first part is when it has no key: `driver` for -device, `type` for -netdev.
    init(_ text: String, impliedKey: String) {
        if text.hasPrefix("{") {
            values = Self.json(text)
            return
        }
        values = [:]
        for (index, part) in Self.parts(text).enumerated() {
            if let equals = part.firstIndex(of: "=") {
                values[String(part[..<equals])] = String(part[part.index(after: equals)...])
            } else {
                // A key alone is a switch that is on, see qemu-options(7).
                values[index == 0 ? impliedKey : part] = index == 0 ? part : "on"
            }
        }
    }

    subscript(key: String) -> String? { values[key] }

    /// Numbers are decimal or, with 0x, hexadecimal.
    func number<Number: FixedWidthInteger>(_ key: String, as type: Number.Type = Number.self) -> Number? {
        guard let text = values[key] else { return nil }
        return text.hasPrefix("0x") ? Number(text.dropFirst(2), radix: 16) : Number(text)
    }

    /// Parts between commas; a doubled comma is one that belongs to a value (util/keyval.c, get_opt_value).
    private static func parts(_ text: String) -> [String] {
        var parts = [""]
        var rest = text[...]
        while let character = rest.popFirst() {
            if character != "," {
                parts[parts.count - 1].append(character)
            } else if rest.first == "," {
                parts[parts.count - 1].append(",")
                rest.removeFirst()
            } else {
                parts.append("")
            }
        }
        return parts
    }

    private static func json(_ text: String) -> [String: String] {
        let object = try? JSONDecoder().decode([String: Scalar].self, from: Data(text.utf8))
        return object?.compactMapValues(\.text) ?? [:]
    }

    /// A JSON value as it would stand in the other form; lists and objects, which no option looked at here has, are
    /// nil.
    private struct Scalar: Decodable {
        var text: String?

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Bool.self) {
                text = value ? "on" : "off"
            } else if let value = try? container.decode(UInt64.self) {
                text = String(value)
            } else {
                text = try? container.decode(String.self)
            }
        }
    }
}
