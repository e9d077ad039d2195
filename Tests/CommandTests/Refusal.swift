// What a refusal looks like, whatever was wrong: status 1, one clear line on standard error, nothing on standard
// output.

import Testing

extension Run {
    /// - Parameters:
    ///   - file: what the message must name.
    ///   - words: what it must say: the fault, and what to do about it.
    func expectRefusal(naming file: String, saying words: String..., sourceLocation: SourceLocation = #_sourceLocation)
    {
        #expect(status == 1, sourceLocation: sourceLocation)
        #expect(output.isEmpty, sourceLocation: sourceLocation)
        #expect(errors.hasPrefix("virtlat: "), sourceLocation: sourceLocation)
        let isOneLine = errors.hasSuffix("\n") && errors.split(separator: "\n").count == 1
        #expect(isOneLine, "not one line: \(errors)", sourceLocation: sourceLocation)
        #expect(errors.contains(file), "does not name \(file): \(errors)", sourceLocation: sourceLocation)
        for word in words {
            #expect(errors.contains(word), "does not say \(word): \(errors)", sourceLocation: sourceLocation)
        }
    }
}
