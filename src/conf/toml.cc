// toml++ turned into nodes. It is compiled without exceptions and RTTI, and what it gives back lives no
// longer than this call.
#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

extern "C" {
#include "conf/toml.h"
}

namespace
{

// Where lines begin, so that a number can be read again as it was spelled: 1.10 is not 1.1.
class Source
{
  public:
    explicit Source(std::string_view text) : text_(text)
    {
        starts_.push_back(0);
        for (size_t i = 0; i < text.size(); i++)
            if (text[i] == '\n')
                starts_.push_back(i + 1);
    }

    // Columns count characters, not bytes.
    std::string number_at(const toml::source_position &at) const
    {
        std::string out;
        if (at.line == 0 || at.line > starts_.size())
            return out;
        size_t i = starts_[at.line - 1];
        if (at.line == 1 && text_.substr(0, 3) == "\xef\xbb\xbf")
            i += 3;
        for (unsigned col = 1; col < at.column && i < text_.size(); col++)
            for (i++; i < text_.size() && (text_[i] & 0xc0) == 0x80; i++)
                ;
        for (; i < text_.size() && (std::isalnum((unsigned char)text_[i]) || std::strchr("+-._", text_[i]));
             i++)
            if (text_[i] != '_')
                out += text_[i];
        return out;
    }

  private:
    std::string_view text_;
    std::vector<size_t> starts_;
};

struct Reading {
    const Source &source;
    struct conf_problems *problems;
};

void convert(const Reading &r, struct conf_node *out, const toml::node &node);

// C has no word for a string with a NUL in it, and neither have environments and command lines.
char *take_text(const Reading &r, std::string_view text, const struct conf_node *at)
{
    if (text.find('\0') != std::string_view::npos)
        conf_problem_add(r.problems, at, nullptr, "a text contains a NUL character");
    return xstrndup(text.data(), text.size());
}

void convert_array(const Reading &r, struct conf_node *out, const toml::array &array)
{
    out->type = CONF_ARRAY;
    out->items = static_cast<struct conf_node *>(xcalloc(array.size() + 1, sizeof(*out->items)));
    for (const toml::node &item : array)
        convert(r, &out->items[out->len++], item);
}

// toml++ sorts tables by name; people expect the order of the file.
void convert_table(const Reading &r, struct conf_node *out, const toml::table &table)
{
    std::vector<std::pair<const toml::key *, const toml::node *>> members;
    for (auto &&[key, value] : table)
        members.emplace_back(&key, &value);
    std::stable_sort(members.begin(), members.end(), [](const auto &a, const auto &b) {
        return a.first->source().begin < b.first->source().begin;
    });
    out->type = CONF_TABLE;
    out->items = static_cast<struct conf_node *>(xcalloc(members.size() + 1, sizeof(*out->items)));
    for (auto [key, value] : members) {
        struct conf_node *item = &out->items[out->len++];
        convert(r, item, *value);
        item->key_line = static_cast<int>(key->source().begin.line);
        item->key_col = static_cast<int>(key->source().begin.column);
        item->key = take_text(r, key->str(), item);
    }
}

void convert(const Reading &r, struct conf_node *out, const toml::node &node)
{
    const toml::source_position at = node.source().begin;
    out->line = static_cast<int>(at.line);
    out->col = static_cast<int>(at.column);
    switch (node.type()) {
    case toml::node_type::table:
        return convert_table(r, out, *node.as_table());
    case toml::node_type::array:
        return convert_array(r, out, *node.as_array());
    case toml::node_type::string:
        out->type = CONF_STRING;
        out->text = take_text(r, node.as_string()->get(), out);
        return;
    case toml::node_type::integer:
        out->type = CONF_INT;
        out->integer = node.as_integer()->get();
        out->spelled = xstrdup(r.source.number_at(at).c_str());
        return;
    case toml::node_type::floating_point:
        out->type = CONF_FLOAT;
        out->real = node.as_floating_point()->get();
        out->spelled = xstrdup(r.source.number_at(at).c_str());
        return;
    case toml::node_type::boolean:
        out->type = CONF_BOOL;
        out->flag = node.as_boolean()->get();
        return;
    default:
        out->type = CONF_OTHER;
        out->text = xstrdup(node.is_date() ? "a date" : node.is_time() ? "a time" : "a date and time");
    }
}

// toml++ bounds the depth of [[[ and {{{, but not that of a.a.a.a, and frees tables by recursion: a
// hostile file could exhaust the stack. So dots outside strings and comments are counted, by line.
class DepthGuard
{
  public:
    // The line with more than MOST of them, or 0.
    static int too_deep(std::string_view text)
    {
        constexpr int MOST = 128;
        int line = 1, dots = 0;
        for (size_t i = 0; i < text.size(); i++) {
            if (text[i] == '"' || text[i] == '\'') {
                i = behind_string(text, i, &line) - 1;
            } else if (text[i] == '#') {
                i = std::min(text.find('\n', i), text.size()) - 1;
            } else if (text[i] == '\n') {
                line++;
                dots = 0;
            } else if (text[i] == '.' && ++dots > MOST) {
                return line;
            }
        }
        return 0;
    }

  private:
    static size_t behind_string(std::string_view text, size_t at, int *line)
    {
        const char quote = text[at];
        const bool tripled = text.substr(at, 3) == std::string(3, quote);
        for (size_t i = at + (tripled ? 3 : 1); i < text.size(); i++) {
            if (text[i] == '\\' && quote == '"')
                i++;
            else if (tripled && text.substr(i, 3) == std::string(3, quote))
                return i + 3;
            else if (!tripled && (text[i] == quote || text[i] == '\n'))
                return text[i] == quote ? i + 1 : i;
            else if (text[i] == '\n')
                ++*line;
        }
        return text.size();
    }
};

} // namespace

extern "C" int toml_parse(const char *text, size_t n, struct conf_node *out, struct conf_problems *problems)
{
    const std::string_view view(n ? text : "", n);
    *out = conf_node{};
    struct conf_node at = {};
    at.line = DepthGuard::too_deep(view);
    at.col = 1;
    if (at.line) {
        conf_problem_add(problems, &at, nullptr, "keys are nested too deeply");
        return -1;
    }
    const toml::parse_result result = toml::parse(view);
    if (!result) {
        const toml::parse_error &error = result.error();
        at.line = static_cast<int>(error.source().begin.line);
        at.col = static_cast<int>(error.source().begin.column);
        conf_problem_add(problems, &at, nullptr, "%.*s", static_cast<int>(error.description().size()),
                         error.description().data());
        return -1;
    }
    const size_t before = problems->len;
    convert(Reading{ Source(view), problems }, out, result.table());
    if (problems->len == before)
        return 0;
    conf_node_done(out);
    return -1;
}
