// What goes wrong, in words; exit status 1.

import LinuxSystem

/// A fault in words, which ArgumentParser prints.
struct Failure: Error, CustomStringConvertible {
    var description: String

    init(_ text: String) { description = text }
}

/// The kernel does not know how to do this: the kind is left out, and that is said.
struct Refusal: Error, CustomStringConvertible {
    var description: String

    init(_ text: String) { description = text }
}

/// What a call returned, unless it failed.
@discardableResult
func check(_ result: Int32, _ call: String) throws -> Int32 {
    guard result >= 0 else { throw SystemError(call: call) }
    return result
}

@discardableResult
func check(_ result: Int, _ call: String) throws -> Int {
    guard result >= 0 else { throw SystemError(call: call) }
    return result
}
