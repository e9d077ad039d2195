// Guests as people name them: --vm NAME=ADDRESS.

import ArgumentParser
import Recording

extension GuestTarget {
    /// - Parameter keyFile: needed for TCP.
    /// - Throws: `ValidationError`, for wrong usage.
    static func parsed(_ texts: [String], keyFile: String?) throws -> [GuestTarget] {
        var targets: [GuestTarget] = []
        for text in texts {
            guard let sign = text.firstIndex(of: "="),
                let address = AgentAddress(String(text[text.index(after: sign)...]))
            else {
                throw ValidationError("--vm \(text) is not NAME=vsock:CID[:PORT] or NAME=tcp:HOST[:PORT].")
            }
            let name = String(text[..<sign])
            guard !name.isEmpty, name.count <= 64, !name.hasPrefix("."),
                name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) })
            else {
                throw ValidationError(
                    "--vm \(text): a name is made of letters, digits, '-', '_' and '.', since it becomes part of a file's."
                )
            }
            guard !targets.contains(where: { $0.name == name }) else {
                throw ValidationError("--vm names \(name) twice.")
            }
            if case .tcp = address, keyFile == nil {
                throw ValidationError(
                    "--vm \(text) needs --key-file FILE, with the key that its agent has (virtlat agent --new-key FILE makes one)."
                )
            }
            targets.append(GuestTarget(name: name, address: address))
        }
        return targets
    }
}
