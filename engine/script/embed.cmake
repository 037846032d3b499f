# The Lua library becomes part of the binary. Included, it adds a generated source to perilune_script; run as a script
# (cmake -P) it writes that source.

if(CMAKE_SCRIPT_MODE_FILE)
  string(REPLACE "|" ";" files "${FILES}")
  set(arrays "")
  set(rows "")
  foreach(file IN LISTS files)
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "const unsigned char ${name}_text[] = {${bytes}};\n")
    string(APPEND rows "    {\"${name}\", view(${name}_text, sizeof(${name}_text))},\n")
  endforeach()
  file(WRITE ${OUTPUT} "#include \"script/embedded.hpp\"

namespace perilune::script {
namespace {

${arrays}
std::string_view view(const unsigned char* text, size_t size) {
  return {reinterpret_cast<const char*>(text), size};
}

}  // namespace

std::span<const EmbeddedFile> embedded_files() {
  static const EmbeddedFile files[] = {
${rows}  };
  return files;
}

}  // namespace perilune::script
")
  return()
endif()

file(GLOB library_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/lua/*.lua)
set(embedded_source ${CMAKE_BINARY_DIR}/generated/embedded.cpp)
string(REPLACE ";" "|" library_files_argument "${library_files}")
add_custom_command(
  OUTPUT ${embedded_source}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${embedded_source} "-DFILES=${library_files_argument}"
          -P ${CMAKE_SOURCE_DIR}/engine/script/embed.cmake
  DEPENDS ${library_files} ${CMAKE_SOURCE_DIR}/engine/script/embed.cmake
  COMMENT "Embedding the Lua library"
  VERBATIM)
target_sources(perilune_script PRIVATE ${embedded_source})
