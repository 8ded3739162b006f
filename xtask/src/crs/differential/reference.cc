// The reference of `cargo xtask differential`: what libmodsecurity's transformations and its libinjection make of values.
//
// Its arguments are `SecUnicodeMapFile`'s and the names of transformations. Values come on standard input, each behind
// its length (32 bits, as this machine has them). For each value the answers go to standard output in the same form:
// one for each transformation, the fingerprint of SQL ("" where there is none), and "1" or "0" for a script.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <modsecurity/actions/action.h>
#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

// The library exports these without declaring them in its headers.
namespace modsecurity::actions::transformations {
class Transformation : public Action {
 public:
    static Transformation *instantiate(std::string name);
};
}
extern "C" {
int libinjection_sqli(const char *value, size_t length, char *fingerprint);
int libinjection_xss(const char *value, size_t length);
const char *libinjection_version();
}

using namespace modsecurity;
using actions::transformations::Transformation;

static bool read(std::string &value) {
    uint32_t length;
    if (fread(&length, sizeof length, 1, stdin) != 1) return false;
    value.resize(length);
    return fread(value.data(), 1, length, stdin) == length;
}

static void write(const std::string &answer) {
    uint32_t length = answer.size();
    fwrite(&length, sizeof length, 1, stdout);
    fwrite(answer.data(), 1, length, stdout);
}

int main(int count, char **arguments) {
    if (count < 2) return 1;
    ModSecurity engine;
    RulesSet rules;
    std::string settings = std::string("SecRuleEngine On\nSecUnicodeMapFile ") + arguments[1] + " 20127\n";
    if (rules.load(settings.c_str()) < 0) {
        fprintf(stderr, "%s\n", rules.m_parserError.str().c_str());
        return 1;
    }
    Transaction transaction(&engine, &rules, nullptr);
    std::vector<std::unique_ptr<Transformation>> transformations;
    for (int at = 2; at < count; at++) {
        transformations.emplace_back(Transformation::instantiate(std::string("t:") + arguments[at]));
    }
    fprintf(stderr, "%s with libinjection %s", engine.whoAmI().c_str(), libinjection_version());
    std::string value;
    while (read(value)) {
        for (auto &transformation : transformations) {
            write(static_cast<actions::Action &>(*transformation).evaluate(value, &transaction));
        }
        char fingerprint[9] = {0};
        write(libinjection_sqli(value.data(), value.size(), fingerprint) ? fingerprint : "");
        write(libinjection_xss(value.data(), value.size()) ? "1" : "0");
    }
    return 0;
}
