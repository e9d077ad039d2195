// session.json on disk.

import FoundationEssentials
package import LinuxSystem

extension Manifest {
    package enum Fault: Error, Equatable, Sendable {
        case unreadable(path: String, SystemError)
        /// Not JSON, or not of this form; `reason` names the key.
        case malformed(path: String, reason: String)
        case unsupportedSchema(path: String, found: Int)
        case unwritable(path: String, SystemError)
    }

    /// No manifest is larger; what is larger is something else.
    private static let mostBytes = 64 << 20

    static func path(in folder: String) -> String { folder + "/" + fileName }

    /// The manifest of `folder`; nil when the folder has none.
    package static func read(folder: String) throws(Fault) -> Manifest? {
        let path = path(in: folder)
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try TextFile.bytes(of: path, limit: mostBytes)
        } catch {
            if error.errno == 2 { return nil }  // ENOENT
            throw .unreadable(path: path, error)
        }
        let decoder = JSONDecoder()
        do {
            let version = try decoder.decode(Version.self, from: Data(bytes))
            guard version.schema == schema else { throw Fault.unsupportedSchema(path: path, found: version.schema) }
            return try decoder.decode(Manifest.self, from: Data(bytes))
        } catch let fault as Fault {
            throw fault
        } catch let error as DecodingError {
            throw .malformed(path: path, reason: error.place)
        } catch {
            throw .malformed(path: path, reason: "it can't be taken apart")
        }
    }

    /// Puts the manifest into `folder`, in place of an older one.
    package func write(folder: String) throws(Fault) {
        let path = Self.path(in: folder)
        do throws(SystemError) {
            var file = try OutputFile(path: path, mode: 0o600, other: .refused)
            try file.stream.write(bytes: encoded())
            try file.commit()
        } catch {
            throw .unwritable(path: path, error)
        }
    }

    /// UTF-8 with a newline at the end.
    package func encoded() -> [UInt8] { Self.encoded(self) }

    /// Any value of a manifest as JSON for people and programs.
    package static func encoded(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Every value is a finite number or a string, so encoding can't fail.
        guard let data = try? encoder.encode(value) else { preconditionFailure("unencodable manifest") }
        return Array(data) + [UInt8(ascii: "\n")]
    }

    private struct Version: Decodable { var schema: Int }
}

extension DecodingError {
    /// Where the fault is, and which.
    fileprivate var place: String {
        let (context, key, fact): (Context, (any CodingKey)?, String) =
            switch self {
            case .keyNotFound(let key, let context): (context, key, "is missing")
            case .typeMismatch(_, let context): (context, nil, "is of the wrong kind")
            case .valueNotFound(_, let context): (context, nil, "is null")
            case .dataCorrupted(let context) where context.codingPath.isEmpty:
                // FoundationEssentials tells no more, not even of a number that does not fit its type.
                (context, nil, "it is not JSON, or holds a number that is out of range")
            case .dataCorrupted(let context): (context, nil, "can't be read")
            @unknown default: (Context(codingPath: [], debugDescription: ""), nil, "\(self)")
            }
        let path = (context.codingPath + (key.map { [$0] } ?? [])).map {
            $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)"
        }.joined()
        return path.isEmpty ? fact : "\(path.drop { $0 == "." }) \(fact)"
    }
}
