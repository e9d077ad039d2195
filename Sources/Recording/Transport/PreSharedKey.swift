// The key that recorder and agent share where a network lies between them.

import Glibc
package import LinuxSystem
import NIOSSL

/// 256 bits, kept in a file as 64 hexadecimal digits; both ends have a copy.
///
/// TLS 1.2 with a pre-shared key and an ephemeral key exchange (ECDHE_PSK, RFC 5489): each side proves that it has the
/// key, and a key that leaks later does not open what was sent before.
package struct PreSharedKey: Sendable {
    private let bytes: [UInt8]

    package enum Fault: Error, Sendable {
        case unreadable(path: String, SystemError)
        /// Not 64 hexadecimal digits.
        case malformed(path: String)
        /// Others than the owner may read it.
        case exposed(path: String, mode: UInt32)
        case exists(path: String)
    }

    private static let byteCount = 32
    private static let identity = "virtlat"

    /// Reads the key from a file that only its owner may read.
    package init(file path: String) throws(Fault) {
        var mode: UInt32 = 0
        var read: [UInt8] = []
        do throws(SystemError) {
            read = try TextFile.bytes(of: path, limit: 4096) { mode = $0.mode & 0o777 }
        } catch {
            // EFBIG: no key is that long.
            if error.errno == EFBIG { throw .malformed(path: path) }
            throw .unreadable(path: path, error)
        }
        guard mode & 0o077 == 0 else { throw .exposed(path: path, mode: mode) }
        let digits = Array(TextFile.text(read))
        guard digits.count == 2 * Self.byteCount else { throw .malformed(path: path) }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            // UInt8 would take a sign too.
            guard digits[index].isHexDigit, let byte = UInt8(String(digits[index...index + 1]), radix: 16) else {
                throw .malformed(path: path)
            }
            bytes.append(byte)
        }
        self.bytes = bytes
    }

    /// Makes a new key in a file that must not exist yet.
    package static func make(file path: String) throws(Fault) {
        var random = SystemRandomNumberGenerator()
        let text = (0..<byteCount).map { _ in
            let byte = UInt8.random(in: 0...255, using: &random)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw .exists(path: path) }
            throw .unreadable(path: path, SystemError(call: "open"))
        }
        defer { close(descriptor) }
        var stream = OutputStream(descriptor: descriptor)
        do throws(SystemError) {
            try stream.write(text + "\n")
            try stream.flush()
        } catch {
            throw .unreadable(path: path, error)
        }
    }

    // MARK: TLS

    func clientContext() throws -> NIOSSLContext {
        var configuration = Self.configuration
        let key = bytes
        configuration.pskClientProvider = { _ in
            PSKClientIdentityResponse(key: NIOSSLSecureBytes(key), identity: Self.identity)
        }
        return try NIOSSLContext(configuration: configuration)
    }

    func serverContext() throws -> NIOSSLContext {
        var configuration = Self.configuration
        let key = bytes
        configuration.pskServerProvider = { _ in PSKServerIdentityResponse(key: NIOSSLSecureBytes(key)) }
        configuration.pskHint = Self.identity
        return try NIOSSLContext(configuration: configuration)
    }

    private static var configuration: TLSConfiguration {
        var configuration = TLSConfiguration.makePreSharedKeyConfiguration()
        // BoringSSL knows pre-shared keys for 1.2 only.
        configuration.minimumTLSVersion = .tlsv12
        configuration.maximumTLSVersion = .tlsv12
        // TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, RFC 7905.
        configuration.cipherSuiteValues = [NIOTLSCipher(rawValue: 0xCCAC)]
        return configuration
    }
}
