# What each room needs from the system. A room without sources yet has no target and is left alone.

if(TARGET perilune_base)
  find_package(spdlog REQUIRED)
  target_link_libraries(perilune_base PUBLIC spdlog::spdlog)
endif()

if(TARGET perilune_http)
  find_path(LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
  find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp REQUIRED)
  add_library(llhttp STATIC ${LLHTTP_SOURCES}/llhttp.c ${LLHTTP_SOURCES}/api.c ${LLHTTP_SOURCES}/http.c)
  target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE})
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp PRIVATE -O2)
  set_target_properties(llhttp PROPERTIES UNITY_BUILD OFF)
  target_link_libraries(perilune_http PRIVATE llhttp)
endif()

if(TARGET perilune_net)
  pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
  target_link_libraries(perilune_net PUBLIC PkgConfig::CARES)
endif()

if(TARGET perilune_script)
  # From the archive: each of the some fifty calls of its interface a request is then a direct one.
  pkg_check_modules(LUAJIT REQUIRED luajit)
  find_library(LUAJIT_ARCHIVE libluajit-5.1.a HINTS ${LUAJIT_LIBRARY_DIRS} REQUIRED)
  target_include_directories(perilune_script SYSTEM PUBLIC ${LUAJIT_INCLUDE_DIRS})
  target_link_libraries(perilune_script PUBLIC ${LUAJIT_ARCHIVE} m dl)
  include(engine/script/embed.cmake)
  # These call their functions and tables by the names that scripts know, which are the same for different objects.
  foreach(name data headers percentile router shared test test_connection test_server time upstream url)
    set_source_files_properties(engine/script/bind_${name}.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  endforeach()
endif()

if(TARGET perilune_app)
  # The program is the app room and what reads the command line.
  set(program_sources main command_line option_faults)
  list(JOIN program_sources "|" program_names)
  find_package(CLI11 REQUIRED)
  get_target_property(app_sources perilune_app SOURCES)
  list(FILTER app_sources EXCLUDE REGEX "/(${program_names})\\.cpp$")
  set_target_properties(perilune_app PROPERTIES SOURCES "${app_sources}")
  list(TRANSFORM program_sources REPLACE "(.+)" "engine/app/\\1.cpp")
  add_executable(perilune ${program_sources})
  target_compile_definitions(perilune PRIVATE PERILUNE_VERSION="${PROJECT_VERSION}")
  target_link_libraries(perilune PRIVATE perilune_app CLI11::CLI11)
  install(TARGETS perilune RUNTIME DESTINATION bin)
  # Declarations for editors; `perilune new` looks for them there.
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/lua/types/ DESTINATION share/perilune/types FILES_MATCHING PATTERN "*.lua")
endif()
