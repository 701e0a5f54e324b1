// SPDX-License-Identifier: MIT
//
// Messages, commands and lines.
#include "chat_client.hpp"

#include <random>

using chat::limits;
using chat::server;
using chat::test::client;
using chat::test::task;
using chat::test::with_server;

TEST_CASE("chat: a guest is welcomed, announced, and heard by everyone else") {
    with_server(limits(), [](server& room) -> task<> {
        client one;
        client two;
        client three;
        co_await one.connect(room);
        co_await one.expect("* welcome, guest1; /help lists what you can do");
        co_await two.connect(room);
        co_await two.expect("* welcome, guest2; /help lists what you can do");
        co_await one.expect("* guest2 joined");
        co_await three.connect(room);
        co_await three.expect("* welcome, guest3; /help lists what you can do");
        co_await one.expect("* guest3 joined");
        co_await two.expect("* guest3 joined");

        co_await one.say("hello");
        co_await two.expect("<guest1> hello");
        co_await three.expect("<guest1> hello");
        co_await two.say("hello too");
        co_await one.expect("<guest2> hello too"); // and not what it said itself
        co_await three.expect("<guest2> hello too");
    });
}

TEST_CASE("chat: names are changed, refused and free again") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.expect("* guest2 joined");
        co_await alice.expect("* guest2 is now bob");

        co_await bob.say("/nick alice");
        co_await bob.expect("! the name alice is taken");
        for (const char* const bad : {"", "seventeen-letters", "two words", "\xc3\xa4", "a\x01"}) {
            co_await bob.say(std::string("/nick ") + bad);
            co_await bob.expect("! a name has 1 to 16 letters, digits, '_' and '-': /nick NAME");
        }
        co_await alice.say("/nick Alice_2-x");
        co_await alice.expect("* alice is now Alice_2-x");
        co_await bob.expect("* alice is now Alice_2-x");
        co_await bob.say("/nick alice");
        co_await bob.expect("* bob is now alice");
        co_await bob.say("me now");
        co_await alice.expect("* bob is now alice");
        co_await alice.expect("<alice> me now");
    });
}

TEST_CASE("chat: a guest name that somebody has taken is passed over") {
    with_server(limits(), [](server& room) -> task<> {
        client one;
        client two;
        co_await one.join(room, "guest2");
        co_await two.connect(room);
        co_await two.expect("* welcome, guest3; /help lists what you can do");
    });
}

TEST_CASE("chat: who, msg, me, help and quit") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        client eve;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await eve.join(room, "eve");
        co_await alice.skip_to("* guest3 is now eve");
        co_await bob.skip_to("* guest3 is now eve");

        co_await bob.say("/who");
        co_await bob.expect("* here: alice, bob, eve");
        co_await bob.say("/msg alice just  between us");
        co_await alice.expect("[bob] just  between us");
        co_await bob.say("/me waves");
        co_await alice.expect("~ bob waves");
        co_await bob.expect("~ bob waves");
        co_await eve.expect("~ bob waves"); // and not what was for alice
        co_await bob.say("/msg carol hello");
        co_await bob.expect("! nobody here is called carol");
        co_await bob.say("/msg alice");
        co_await bob.expect("! something is missing: /msg NAME text");
        co_await bob.say("/me");
        co_await bob.expect("! something is missing: /me text");
        co_await bob.say("/dance");
        co_await bob.expect("! there is no such command; /help lists them");
        co_await bob.say("/help");
        for (const char* const word : {"slash", "/nick", "/who", "/msg", "/me", "/help", "/quit"}) {
            const std::string line = co_await bob.line();
            CHECK(line.starts_with("* "));
            CHECK(line.find(word) != std::string::npos);
        }
        co_await bob.say("/quit");
        co_await bob.expect("* goodbye");
        co_await bob.expect_end();
        co_await alice.expect("* bob left");
    });
}

TEST_CASE("chat: nothing that a guest says looks like a line of the server") {
    with_server(limits(), [](server& room) -> task<> {
        client bob;
        client eve;
        co_await bob.join(room, "bob");
        co_await eve.join(room, "eve");
        co_await bob.skip_to("* guest2 is now eve");
        const std::string said[] = {"is now admin", "left", "* server is going down", "! no"};
        for (const std::string& text : said) {
            co_await eve.say("/me " + text);
            co_await eve.say(" " + text);
            co_await eve.say("/msg bob " + text);
            for (int i = 0; i < 3; ++i) {
                const std::string heard = co_await bob.line();
                CAPTURE(heard);
                CHECK(heard.ends_with(text));
                CHECK_FALSE(heard.starts_with("*"));
                CHECK_FALSE(heard.starts_with("!"));
            }
        }
    });
}

TEST_CASE("chat: CRLF and LF both end a line, and blank lines say nothing") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.send("one\r\ntwo\n\r\n\n  \nthree\r\n\r\nfour\r five\n");
        co_await bob.expect("<alice> one");
        co_await bob.expect("<alice> two");
        co_await bob.expect("<alice> three");
        co_await bob.expect("<alice> four? five");
    });
}

TEST_CASE("chat: lines that come one byte at a time") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        for (const char each : std::string_view("/nick slow\r\nbit by bit\n"))
            co_await alice.send(std::string(1, each));
        co_await bob.expect("* alice is now slow");
        co_await bob.expect("<slow> bit by bit");
    });
}

TEST_CASE("chat: control characters are replaced and UTF-8 is not") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.say("\x1b[2J\tgr\xc3\xbc\xc3\x9f"
                           "e \xff");
        co_await bob.expect("<alice> ?[2J gr\xc3\xbc\xc3\x9f"
                            "e ?");
        co_await alice.say("/msg bob \x07");
        co_await bob.expect("[alice] ?");
    });
}

TEST_CASE("chat: characters that hide or reorder text reach nobody") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.say("a\xe2\x80\xae"
                           "b\xe2\x80\xa8* alice left");
        co_await bob.expect("<alice> ab?* alice left");
        co_await alice.say("\xe2\x80\x8b\xef\xbb\xbf"); // only such: a blank line
        co_await alice.say("/ni\xc2\xad"
                           "ck b\xe2\x80\x8bob");
        co_await alice.skip_to("! the name bob is taken");
        co_await bob.say("/who");
        co_await bob.expect("* here: alice, bob");
    });
}

TEST_CASE("chat: a line of 4096 bytes is said, one more gets an error, and the session stays") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.expect("* guest2 joined");
        co_await alice.expect("* guest2 is now bob");
        const std::string longest(4096, 'x');
        co_await alice.say(longest);
        co_await bob.expect("<alice> " + longest);
        co_await alice.say(longest + "y");
        co_await alice.expect("! a line has at most 4096 bytes; this one was left out");
        co_await alice.say("still here");
        co_await bob.expect("<alice> still here");
    });
}

TEST_CASE("chat: ten megabytes without an end of line are one error") {
    with_server(limits(), [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        co_await alice.skip_to("* guest2 is now bob");
        co_await alice.send(std::string(10'000'000, 'x'));
        co_await alice.send("the end of it\nhello\n/who\n");
        co_await alice.expect("! a line has at most 4096 bytes; this one was left out");
        co_await alice.expect("* here: alice, bob");
        co_await bob.expect("<alice> hello");
    });
}

TEST_CASE("chat: garbage harms nobody") {
    limits allowed;
    allowed.outbox_bytes = 1'000'000; // nobody is dropped, however slowly the kernel takes it
    with_server(allowed, [](server& room) -> task<> {
        client alice;
        client bob;
        co_await alice.join(room, "alice");
        co_await bob.join(room, "bob");
        std::mt19937 random(20260101);
        std::string garbage(100'000, '\0');
        for (char& each : garbage)
            each = static_cast<char>(random());
        co_await alice.send(garbage);
        co_await alice.send("\nenough\n");
        for (std::string line; line != "<alice> enough";) {
            line = co_await bob.line();
            REQUIRE(line.starts_with("<alice> "));
            for (const char each : line)
                REQUIRE((static_cast<unsigned char>(each) >= 0x20 && each != 0x7f));
        }
        co_await bob.say("/who");
        co_await bob.expect("* here: alice, bob");
    });
}

TEST_CASE("chat: who asks more than it reads is not dropped but has to wait") {
    limits allowed;
    allowed.outbox_bytes = 16384;
    with_server(allowed, [](server& room) -> task<> {
        client alice;
        co_await alice.join(room, "alice");
        constexpr int questions = 1000; // four kilobytes of them ask for 300
        std::string many;
        for (int i = 0; i < questions; ++i)
            many += "/help\n";
        auto both = [&](coracle::task_group& jobs) -> task<> {
            jobs.start(alice.send(many + "/quit\n"));
            int answers = 0;
            for (std::string line; line != "* goodbye";) {
                line = co_await alice.line();
                answers += line.starts_with("* /quit ") ? 1 : 0;
            }
            CHECK(answers == questions);
        };
        co_await coracle::with_task_group(both);
    });
}

TEST_CASE("chat: a list of more names than an outbox holds is cut short") {
    limits allowed;
    allowed.outbox_bytes = 100;
    with_server(allowed, [](server& room) -> task<> {
        client one;
        client two;
        co_await one.join(room, "one");
        co_await two.join(room, "sixteen-letters2");
        co_await one.say("/who");
        co_await one.skip_to("* here: one and 1 more");
    });
}
