#pragma once

#include <string>
#include <string_view>

/// Messages as they come.
namespace perilune::bench {

inline constexpr std::string_view small_request = "GET /hi HTTP/1.1\r\nHost: localhost:8000\r\n\r\n";

/// Twenty fields, as a browser sends them.
inline constexpr std::string_view browser_line = "GET /articles/2026/11/a-page?from=front HTTP/1.1\r\n";
inline constexpr std::string_view browser_fields =
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"128\", \"Not;A=Brand\";v=\"24\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "DNT: 1\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-User: ?1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Referer: https://www.example.com/articles\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=4f1c2ab09d7e4c55a0b3; theme=dark; consent=yes\r\n"
    "If-None-Match: \"5f3c-1a2b3c\"\r\n"
    "If-Modified-Since: Sun, 01 Nov 2026 10:00:00 GMT\r\n"
    "\r\n";
inline const std::string browser_request = std::string(browser_line) + std::string(browser_fields);

inline constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\n"
    "Server: nginx\r\n"
    "Date: Sat, 21 Nov 2026 08:30:00 GMT\r\n"
    "Content-Type: text/html; charset=utf-8\r\n"
    "Content-Length: 12\r\n"
    "Connection: keep-alive\r\n"
    "Last-Modified: Sun, 01 Nov 2026 10:00:00 GMT\r\n"
    "ETag: \"5f3c-1a2b3c\"\r\n"
    "Cache-Control: max-age=60\r\n"
    "Vary: Accept-Encoding\r\n"
    "\r\n"
    "Hello, you!\n";

}  // namespace perilune::bench
