// What others say, made fit for a terminal. Names in trace files, guests' words and names of files may hold anything;
// what a terminal would obey is shown as `\u001b`: control characters, those of C1 (U+0080 to U+009F), and those that
// turn the direction of writing.
//
// It is done where names are read, so that a line stays a line, and once more where text leaves the program
// (`Terminal.printError`, `OutputStream`), where only the program's own codes pass. JSON has the same escapes, so that
// they mean the same there.

package enum Printable {
    /// Codes of the program's own that pass.
    package struct Codes: OptionSet, Sendable {
        package var rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// Ends of lines, and tabs.
        package static let lines = Codes(rawValue: 1)
        /// Bold, the colours of findings, and their end.
        package static let colours = Codes(rawValue: 2)
    }

    /// What emphasis takes here (ECMA-48, SELECT GRAPHIC RENDITION), and no more: a name that got this far can set
    /// itself off, and not hide, blink or move.
    private static let emphasis: Set = ["0", "1", "31", "32", "33", "36"]

    package static func text(_ text: String, _ codes: Codes = []) -> String {
        guard needsCare(text) else { return text }
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        var index = 0
        while index < scalars.count {
            let passing = own(scalars[index...], codes)
            if passing > 0 {
                result.append(contentsOf: scalars[index..<index + passing])
                index += passing
                continue
            }
            if isUnfit(scalars[index]) {
                let digits = String(scalars[index].value, radix: 16)
                result.append(
                    contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
            } else {
                result.append(scalars[index])
            }
            index += 1
        }
        return String(result)
    }

    /// Nearly every text is fit as it is.
    private static func needsCare(_ text: String) -> Bool {
        // C1 begins with C2, the others with E2, in UTF-8.
        text.utf8.contains { $0 < 0x20 || $0 == 0x7f || $0 == 0xc2 || $0 == 0xe2 }
    }

    private static func isUnfit(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: false
        }
    }

    /// How many scalars at the front are a code that passes.
    private static func own(_ scalars: ArraySlice<Unicode.Scalar>, _ codes: Codes) -> Int {
        switch scalars.first {
        case "\n", "\t": return codes.contains(.lines) ? 1 : 0
        case "\u{1b}":
            guard codes.contains(.colours), scalars.dropFirst().first == "[" else { return 0 }
            let code = scalars.dropFirst(2).prefix { ("0"..."9").contains($0) }
            guard scalars.dropFirst(2 + code.count).first == "m",
                emphasis.contains(String(String.UnicodeScalarView(code)))
            else { return 0 }
            return code.count + 3
        default: return 0
        }
    }
}

extension String {
    /// As part of a line.
    package var printable: String { Printable.text(self) }
}
