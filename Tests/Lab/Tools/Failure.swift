// What is said when something is at fault; exit status 1.

import LinuxSystem

/// A fault in words, which ArgumentParser prints.
struct Failure: Error, CustomStringConvertible {
    var description: String

    init(_ text: String) { description = text }

    /// - Parameter subject: the file, device or address the call was about.
    init(_ subject: String, _ error: SystemError) { description = "\(subject): \(error.call): \(error.text)" }
}
